"""Run a bundle on a stream of frames and print the events it sees.

Events go to standard output as they end, the latency table to standard error when the stream ends or you press Ctrl-C.
With --json, standard output holds one JSON object a decision (t_s, label, score, scores, age_ms) and one an event (event, start_s, end_s, score).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from edgevid.capture.open import SOURCES_HELP
from edgevid.commands.options import add_bundle, add_threads, positive
from edgevid.errors import SourceError

if TYPE_CHECKING:
    from edgevid.manifest import Manifest
    from edgevid.outputs.output import Output
    from edgevid.pipeline import Pipeline

EXAMPLES = """examples:
  edgevid run action.edgevid --source clip.mp4
  edgevid run action.edgevid --source clip.mp4 --json > decisions.jsonl
  edgevid run gestures.edgevid --source synthetic:7 --max-frames 600"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_bundle(parser)
    parser.add_argument("--source", required=True, metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--json", action="store_true", help="print every decision and event as one JSON object a line")
    add_threads(parser)
    parser.add_argument("--max-frames", type=positive, metavar="N", help="stop after N frames of the source (default: at its end)")
    parser.add_argument("--stall", type=float, default=10.0, metavar="SECONDS", help="fail when no frame comes for this long (default: 10)")


def run(args: argparse.Namespace) -> int:
    """Run the bundle until the stream ends or a signal comes.

    Args:
        args: Parsed options.

    Returns:
        0.
    """
    from edgevid import bundle
    from edgevid.capture import open_source
    from edgevid.engine import Engine
    from edgevid.pipeline import Pipeline

    model = bundle.read(args.bundle)
    engine = Engine(model, threads=args.threads)
    with open_source(args.source, model.manifest) as source:
        pipeline = Pipeline(engine, source, [_output(model.manifest, as_json=args.json)], stall_s=args.stall)
        heading = f"{args.bundle.name} on {source.name}, {engine.interpreter}, threads: {args.threads}"
        try:
            with stopped_by_signals(pipeline):
                pipeline.run(max_frames=args.max_frames)
        except SourceError:
            _summarise(pipeline, heading)
            raise
    _summarise(pipeline, heading)
    return 0


def _summarise(pipeline: Pipeline, heading: str) -> None:
    if pipeline.telemetry.seen:
        sys.stderr.write(f"{heading}\n{pipeline.telemetry.as_table()}\n")


def _output(manifest: Manifest, *, as_json: bool) -> Output:
    from edgevid.outputs.jsonl import EventLines, JsonLines

    return JsonLines(sys.stdout, manifest.labels) if as_json else EventLines(sys.stdout, sys.stderr)


@contextmanager
def stopped_by_signals(pipeline: Pipeline) -> Iterator[None]:
    """End the pipeline cleanly on the first SIGINT or SIGTERM; the second does what it did before.

    Args:
        pipeline: To be stopped.

    Yields:
        While the handlers are in place.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        pipeline.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
