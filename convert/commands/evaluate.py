"""Measure a trained Keras model, or a bundle, on labelled clips or long recordings.

CLIPS contains <class>/<clip>, with classes that the model knows, or it is a list
of clips. Of a list that states splits, the clips of test and val are used. It
prints accuracy, precision, recall, F1 and the confusion matrix. A model and its
bundle see the same frames, so their metrics can be compared.

With --streams and --truth it measures events in long recordings instead: which of
them are found, how late, how well they lie where they happened, and how many
false alarms an hour there are. Frames take the device's own way to events.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from convert.commands.options import add_input, add_loading, add_reading, options_from
from convert.commands.stream_options import (
    add_choices,
    add_framing,
    add_measure,
    add_truth,
    import_options,
    measure_options,
)
from edgevid.atomic import check_folder
from edgevid.commands.options import add_threads
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from convert.evaluation import EvaluationSubject
    from convert.stream_evaluation import StreamEvaluation
    from convert.training.metrics import Evaluation

EXAMPLES = """examples:
  edgevid evaluate gestures.keras clips/test
  edgevid evaluate gestures.edgevid clips/test --views all
  edgevid evaluate gestures.edgevid clips/test --json > metrics.json
  edgevid evaluate model.json clips/test --weights model.weights.h5"""
# A copy of `convert.evaluation.MODEL_SUFFIXES`, so that a help text imports less; a test holds them
# equal.
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".onnx", ".json")
# Those of `convert.clips.reading`.
SPLITS = ("held-out", "train", "val", "test", "all")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL_OR_BUNDLE",
        help=f"a trained model ({', '.join(MODEL_SUFFIXES)}) or an .edgevid file; a .json needs --weights",
    )
    clips = parser.add_argument(
        "clips", type=Path, metavar="CLIPS", help="folder of labelled clips, or a list of clips"
    )
    parser.add_argument(
        "--views",
        choices=("centre", "all"),
        default="centre",
        help="what determines the answer for a clip: the window in its middle, or the mean over all its windows "
        "(default: centre)",
    )
    add_reading(parser.add_argument_group("the clips"))
    parser.add_argument(
        "--split",
        choices=SPLITS,
        default="held-out",
        help="which clips of a list that states splits: those of test and val, those of one split, or all "
        "(default: held-out)",
    )
    _add_streams(parser, clips)
    add_threads(parser)
    add_input(parser.add_argument_group("the training (not needed for models of 'edgevid train' and for bundles)"))
    add_loading(parser)
    parser.add_argument(
        "--json", action="store_true", help="print all results as one JSON object, with the scores of each clip"
    )


def _add_streams(parser: argparse.ArgumentParser, clips: argparse.Action) -> None:
    group = parser.add_argument_group("long recordings, in place of CLIPS")
    add_truth(group, in_place_of=clips)
    add_measure(group, limit_help="false alarms an hour that you want to promise (default: 1)")
    group.add_argument(
        "--paces", action="store_true", help="measure the pace levels of a device that is late or hot too"
    )
    group.add_argument(
        "--report", type=Path, metavar="REPORT.html", help="write a page with each recording on a time line"
    )
    add_framing(parser)
    add_choices(parser.add_argument_group("what a truth of another tool leaves open"))


def run(args: argparse.Namespace) -> int:
    """Evaluate the model and print its metrics.

    Raises:
        UsageError: The model or the folder is missing, or options do not go together.
        ModelError: The model cannot be loaded.
        BundleError: The bundle is rejected.
        ClipsError: No clip can be read, or a clip shows no class of the model.
        TruthError: The truth is wrong, or does not fit the recordings or the model.
    """
    return _run_streams(args) if args.streams is not None else _run_clips(args)


def _run_clips(args: argparse.Namespace) -> int:
    defaults: dict[str, object] = {
        **dict.fromkeys(("truth", "tolerance", "max_false_per_hour", "report", "point")),
        **dict.fromkeys(("paces", "rest_is_empty"), False),
        **{name: [] for name in ("tier", "omit", "rename")},
        "attribute": "",
    }
    given = [f"--{name.replace('_', '-')}" for name, default in defaults.items() if getattr(args, name) != default]
    UsageError.unless(not given, expected="--streams with its options", got=", ".join(given))
    from convert import EvaluateOptions, Terminal, evaluate
    from convert.training.console import metrics_text, notes_text, short_text, skipped_text

    def announce(subject: EvaluationSubject) -> None:
        notes = notes_text((*subject.clips.notes, *subject.notes))
        sys.stderr.write(notes + skipped_text(subject.clips) + short_text(subject.clips, subject.window))

    result = evaluate(
        args.model, args.clips, options=options_from(args, EvaluateOptions), progress=Terminal(), on_start=announce
    )
    sys.stdout.write((json.dumps(_report(args, result), indent=1) if args.json else metrics_text(result)) + "\n")
    return 0


def _report(args: argparse.Namespace, result: Evaluation) -> dict[str, Any]:
    from convert.training.train_report import evaluation_json

    return {"model": str(args.model), "views": args.views, **evaluation_json(result)}


def _run_streams(args: argparse.Namespace) -> int:
    from convert import EvaluateOptions, Terminal
    from convert.stream_evaluation import StreamOptions, evaluate_streams
    from convert.stream_evaluation.text import evaluation_json, evaluation_text
    from convert.training.console import notes_text

    _check_streams(args)
    began_s = monotonic()
    result = evaluate_streams(
        args.model,
        args.streams,
        args.truth,
        options=StreamOptions(
            model=options_from(args, EvaluateOptions),
            measure=measure_options(args),
            truth=import_options(args),
            paces=args.paces,
        ),
        progress=Terminal(),
    )
    sys.stderr.write(notes_text(result.notes))
    if args.report is not None:
        _write_page(args, result, monotonic() - began_s)
    if args.json:
        sys.stdout.write(json.dumps({"model": str(args.model), **evaluation_json(result)}, indent=1) + "\n")
    else:
        sys.stdout.write(evaluation_text(result) + "\n")
    return 0


def _write_page(args: argparse.Namespace, result: StreamEvaluation, seconds: float) -> None:
    from convert.stream_evaluation.page import write_streams_page

    write_streams_page(
        result,
        args.report,
        title=args.model.name,
        folder=args.streams,
        tolerance_s=measure_options(args).tolerance_s,
        seconds=seconds,
    )
    sys.stderr.write(f"page: {args.report}\n")


def _check_streams(args: argparse.Namespace) -> None:
    """Reject what is about clips."""
    UsageError.unless(args.clips is None, expected="CLIPS or --streams, not both", got=str(args.clips))
    UsageError.unless(args.truth is not None, expected="--truth with --streams", found="none")
    if args.report is not None:
        # Before minutes of work.
        check_folder(args.report, suffix=".html")
    defaults = {"views": "centre", "split": "held-out", "videos": None, "fps": None}
    given = [f"--{name}" for name, default in defaults.items() if getattr(args, name) != default]
    UsageError.unless(not given, expected="options of recordings with --streams", got=", ".join(given))
