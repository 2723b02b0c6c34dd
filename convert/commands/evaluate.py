"""Measure a trained Keras model, or the bundle it was converted to, on labelled clips.

CLIPS_DIR holds <class>/<clip>, with classes that the model knows. Accuracy, precision, recall, F1 and the confusion matrix go to stdout.
Both kinds of model are asked about the same frames, so their numbers can be set side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.commands.convert import configure_input
from edgevid.commands.options import add_threads
from edgevid.strict import to_json

if TYPE_CHECKING:
    from convert.clips import Clips
    from convert.training.evaluate import Evaluation, Scorer
    from edgevid.manifest import Window
    from edgevid.preprocess import InputSpec

EXAMPLES = """examples:
  edgevid evaluate gestures.keras clips/test
  edgevid evaluate gestures.edgevid clips/test --views all
  edgevid evaluate gestures.edgevid clips/test --json > metrics.json"""
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True)
class _Subject:
    """What is measured: clips prepared for a model, and the model as a scorer."""

    scorer: Scorer
    clips: Clips
    labels: tuple[str, ...]
    window: Window
    notes: tuple[str, ...] = ()


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument("model", type=Path, metavar="MODEL_OR_BUNDLE", help=f"a Keras model ({', '.join(MODEL_SUFFIXES)}) or an .edgevid file")
    parser.add_argument("clips", type=Path, metavar="CLIPS_DIR", help="the folder or CSV file of labelled clips")
    parser.add_argument(
        "--views",
        choices=("centre", "all"),
        default="centre",
        help="what answers for a clip: the window in its middle, or the mean over every window of it (default: centre)",
    )
    add_threads(parser)
    configure_input(parser.add_argument_group("what training did (not needed for models from 'edgevid train', nor for bundles)"))
    parser.add_argument("--json", action="store_true", help="print everything as one JSON object, with the scores for each clip")


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
    from convert.progress import Terminal
    from convert.training.evaluate import evaluate
    from convert.training.present import metrics_text, skipped_text

    subject = _model(args) if args.model.suffix in MODEL_SUFFIXES else _bundle(args)
    sys.stderr.write("".join(f"Note: {note}\n" for note in subject.notes) + skipped_text(subject.clips))
    result = evaluate(
        subject.scorer,
        subject.clips.clips,
        labels=subject.labels,
        window=subject.window,
        views=args.views,
        progress=lambda clips: iter(Terminal().track(clips, "asking the model")),
    )
    sys.stdout.write((json.dumps(_report(args, result, subject.clips), indent=1) if args.json else metrics_text(result)) + "\n")
    return 0


def _bundle(args: argparse.Namespace) -> _Subject:
    from convert.training.evaluate import bundle_scorer
    from edgevid import bundle
    from edgevid.engine import Engine

    checked = bundle.read(args.model)
    manifest = checked.manifest
    clips = _decode(args, manifest.input, interval_s=manifest.window.interval_s)
    return _Subject(bundle_scorer(Engine(checked, threads=args.threads)), clips, manifest.labels, manifest.window)


def _model(args: argparse.Namespace) -> _Subject:
    from convert.arrange import arrange
    from convert.info import read_info
    from convert.load import load
    from convert.settings import Options, contract, input_spec
    from convert.split import split
    from convert.training.evaluate import keras_scorer

    said = ("labels", "color", "range", "resize", "interpolation", "interval", "frames", "frame_size", "axes")
    options = Options(**{name: getattr(args, name) for name in said}, output=args.scores)
    trained, info = load(args.model), read_info(args.model)
    arranged = arrange(trained.model, axes=args.axes, frames=args.frames, frame_size=args.frame_size, output=args.scores, scores_only=True)
    graph = arranged.graph
    parts = split(graph)
    spec = input_spec(graph, parts.frame_shape, options, info)
    clips = _decode(args, spec)
    settled = contract(graph, parts.frames, spec=spec, clips=clips, options=options, info=info, notes=(*trained.notes, *arranged.notes))
    scorer = keras_scorer(arranged.ask, spec, settled.window, kind=settled.scores)
    return _Subject(scorer, clips, settled.labels, settled.window, settled.notes)


def _decode(args: argparse.Namespace, spec: InputSpec, *, interval_s: float = 0.1) -> Clips:
    from convert.clips import decode_all, find_clips
    from convert.progress import Terminal

    refs = find_clips(args.clips, kind=spec.kind)
    return decode_all(refs, spec, interval_s=interval_s, progress=lambda items: iter(Terminal().track(items, "reading clips")))


def _report(args: argparse.Namespace, result: Evaluation, clips: Clips) -> dict[str, Any]:
    metrics = to_json(result)
    for prediction in metrics["predictions"]:
        prediction["path"] = str(prediction["path"])
    skipped = [{"path": str(path), "reason": reason} for path, reason in clips.skipped]
    return {"model": str(args.model), "clips": len(clips.clips), "views": args.views, **metrics, "skipped": skipped}
