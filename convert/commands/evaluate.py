"""Measure a trained Keras model, or the bundle it was converted to, on labelled clips.

CLIPS_DIR holds <class>/<clip>, with classes that the model knows. Accuracy, precision, recall, F1 and the confusion matrix go to stdout.
Both kinds of model are asked about the same frames, so their numbers can be set side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.commands.convert import configure_input, options_from
from edgevid.commands.options import add_threads
from edgevid.schema import to_json

if TYPE_CHECKING:
    from convert.evaluation import EvaluationSubject
    from convert.training.evaluate import Evaluation

EXAMPLES = """examples:
  edgevid evaluate gestures.keras clips/test
  edgevid evaluate gestures.edgevid clips/test --views all
  edgevid evaluate gestures.edgevid clips/test --json > metrics.json"""
MODEL_SUFFIXES = (
    ".keras",
    ".h5",
    ".hdf5",
)  # as convert.evaluation.MODEL_SUFFIXES, which is not imported for a help text


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL_OR_BUNDLE",
        help=f"a Keras model ({', '.join(MODEL_SUFFIXES)}) or an .edgevid file",
    )
    parser.add_argument("clips", type=Path, metavar="CLIPS_DIR", help="the folder or CSV file of labelled clips")
    parser.add_argument(
        "--views",
        choices=("centre", "all"),
        default="centre",
        help="what answers for a clip: the window in its middle, or the mean over every window of it (default: centre)",
    )
    add_threads(parser)
    configure_input(
        parser.add_argument_group("what training did (not needed for models from 'edgevid train', nor for bundles)")
    )
    parser.add_argument(
        "--json", action="store_true", help="print everything as one JSON object, with the scores for each clip"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        UsageError: There is no such model or folder.
        ModelError: The model cannot be loaded.
        BundleError: The bundle cannot be used.
        ClipsError: No clip can be read, or one shows no class of the model.
    """
    from convert import EvaluateOptions, Terminal, evaluate
    from convert.training.console import metrics_text, skipped_text

    def announce(subject: EvaluationSubject) -> None:
        sys.stderr.write("".join(f"Note: {note}\n" for note in subject.notes) + skipped_text(subject.clips))

    result = evaluate(
        args.model, args.clips, options=options_from(args, EvaluateOptions), progress=Terminal(), on_start=announce
    )
    sys.stdout.write((json.dumps(_report(args, result), indent=1) if args.json else metrics_text(result)) + "\n")
    return 0


def _report(args: argparse.Namespace, result: Evaluation) -> dict[str, Any]:
    metrics = to_json(result)
    for prediction in metrics["predictions"]:
        prediction["path"] = str(prediction["path"])
    skipped = [{"path": str(path), "reason": reason} for path, reason in metrics.pop("skipped")]
    return {
        "model": str(args.model),
        "clips": len(result.predictions),
        "views": args.views,
        **metrics,
        "skipped": skipped,
    }
