"""Predict the time of a frame on each Raspberry Pi, without having one.

The first line answers which board the model needs. A prediction is no measurement:
it is computed from the work of the bundle's parts and from published times of other
models on these cores. Its range is the worst that it misses by on models that it has
not seen. It covers the model's parts only, not the camera, resizing or outputs.
Measure on the board with edgevid bench.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from edgevid.commands.options import add_bundle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgevid.prediction.boards import PartWork, Prediction

EXAMPLES = """examples:
  edgevid fit action.edgevid
  edgevid fit action.edgevid --threads 4
  edgevid fit action.edgevid --json"""
# Those of `edgevid.prediction.boards`.
THREADS = (1, 4)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    parser.add_argument(
        "--threads",
        type=int,
        choices=THREADS,
        default=1,
        help="threads of the interpreter; times are published of these (default: 1, as edgevid run)",
    )
    parser.add_argument("--json", action="store_true", help="print the predictions as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the predictions.

    Raises:
        BundleError: The bundle is rejected.
        ModelError: A part is no `.tflite` file.
    """
    from convert.frameworks.tensorflow_setup import import_tensorflow
    from convert.placement.operation_counts import parts_work
    from edgevid import bundle
    from edgevid.prediction.boards import predict

    checked = bundle.read(args.bundle)
    # The reader of .tflite files imports it, with a dozen lines of log.
    import_tensorflow()
    parts = parts_work(checked)
    predictions = predict(parts, checked.manifest.window.interval_s, threads=args.threads)
    if args.json:
        sys.stdout.write(json.dumps(_as_json(args, parts, predictions), indent=1) + "\n")
    else:
        sys.stdout.write(_as_text(args, parts, predictions) + "\n")
    return 0


def _as_json(args: argparse.Namespace, parts: Sequence[PartWork], predictions: Sequence[Prediction]) -> dict[str, Any]:
    from edgevid.prediction.boards import needed, unpublished

    slowest = needed(predictions)
    return {
        "kind": "prediction",
        "bundle": str(args.bundle),
        "threads": args.threads,
        "needs": slowest and slowest.board,
        "parts": [dataclasses.asdict(part) for part in parts],
        "predictions": [dataclasses.asdict(each) for each in predictions],
        "notes": list(unpublished(parts)),
    }


def _as_text(args: argparse.Namespace, parts: Sequence[PartWork], predictions: Sequence[Prediction]) -> str:
    from edgevid.prediction.boards import unpublished
    from edgevid.tables import table

    rows: list[tuple[object, ...]] = [
        ("board", "predicted ms a frame", "range", "frames every", "keeps the rate?", "rests on")
    ]
    for each in predictions:
        spread = f"{each.low_ms:.3g} to {each.high_ms:.3g}"
        every = f"{each.interval_ms:.4g} ms"
        rows.append((each.board, f"{each.predicted_ms:.3g}", spread, every, each.keeps, each.basis))
    notes = [f"Note: {note}" for note in (*unpublished(parts), *_method(args.threads))]
    return "\n".join([_verdict(predictions), "", table(rows), "", *notes])


def _verdict(predictions: Sequence[Prediction]) -> str:
    from edgevid.prediction.boards import needed

    slowest, fastest = needed(predictions), predictions[-1]
    wants = f"of the {fastest.interval_ms:.4g} ms that the model's rate leaves"
    if slowest is None:
        takes = f"{fastest.model} takes up to {fastest.high_ms:.3g} ms"
        return f"Prediction: no board is sure to keep the rate; {takes} {wants}."
    return f"Prediction: a {slowest.model} or faster; it takes up to {slowest.high_ms:.3g} ms {wants}."


def _method(threads: int) -> tuple[str, ...]:
    from edgevid.prediction.fit import model_errors

    ours, others = model_errors("int8"), model_errors("float32")
    return (
        f"Predicted for {threads} thread{'s' if threads > 1 else ''} from published times, not measured.",
        f"The range is the worst miss on models left out of the fit in turn: typically {100 * ours.typical:.0f} % "
        f"in int8 ({ours.unseen} models), {100 * others.typical:.0f} % in float32 ({others.unseen}).",
        "Camera, resizing and outputs come on top; measure with edgevid bench.",
    )
