"""Run the gesture model that ships with edgevid on rendered video, and score it.

A person swipes, draws circles and waves. In the pauses the hand does something
else. The stream is rendered during the run and its truth is known, so the
timeline shows each event next to the true gesture. The latency table shows what
a frame costs on this machine.

The demo needs no camera, no OpenCV and no TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from edgevid.commands.engine_options import add_engine, open_engine
from edgevid.commands.options import positive_seconds
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.bundle import Bundle

EXAMPLES = """examples:
  edgevid demo
  edgevid demo --seed 7 --seconds 20
  edgevid demo --json | jq .events.precision"""
BUNDLE = "gestures.edgevid"
# A minute holds each of the seven gestures about twice.
_SECONDS = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of person, room and gestures, at least 0 (default: 0)",
    )
    parser.add_argument(
        "--seconds",
        type=positive_seconds,
        default=_SECONDS,
        metavar="S",
        help="length of the stream (default: 60)",
    )
    add_engine(parser)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the demo.

    Raises:
        UsageError: The seed is below 0, or the length is not above 0.
    """
    from edgevid.capture.synthetic import GestureSource
    from edgevid.events.timeline import as_json, as_table, match, summary
    from edgevid.outputs.collect import Collector
    from edgevid.pipeline import Pipeline

    if args.seed < 0:
        raise UsageError(expected="--seed of at least 0", got=args.seed)
    model = shipped_bundle()
    engine, collector = open_engine(model, args), Collector()
    frame = model.manifest.input
    with GestureSource(seed=args.seed, duration_s=args.seconds, height_px=frame.height, width_px=frame.width) as source:
        telemetry = Pipeline(engine, source, [collector]).run()
        score = match(collector.events, source.truth)
    if args.json:
        result = {
            "seed": args.seed,
            "seconds": args.seconds,
            "interpreter": engine.interpreter,
            "events": as_json(score, duration_s=args.seconds),
            "telemetry": telemetry.as_json(),
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return 0
    heading = (
        f"{model.manifest.name} on {args.seconds:g} s of {source.name}, {engine.interpreter}, threads: {engine.threads}"
    )
    sys.stdout.write(
        f"{heading}\n\n{as_table(score)}\n\n{summary(score, duration_s=args.seconds)}\n\n{telemetry.as_table()}\n"
    )
    return 0


def shipped_bundle() -> Bundle:
    """Return the gesture model of the package."""
    from edgevid import bundle

    with as_file(files("edgevid") / "data" / BUNDLE) as path:
        return bundle.read(path)
