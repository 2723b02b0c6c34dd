"""Run one bundle or several on a stream of frames and print the events they see.

Events go to standard output as they end, the latency table to standard error when the stream ends or you press Ctrl-C.
With --json, standard output holds one JSON object a decision (t_s, label, score, scores, age_ms, and values where the model gives more than
classes) and one an event (event, start_s, end_s, score); where several bundles run, each object has its model's name.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from edgevid.commands.running import config, lines, models, outputs, record, sources, trial
from edgevid.commands.running.group import OptionGroup, Setup, open_groups
from edgevid.errors import SourceError

if TYPE_CHECKING:
    from edgevid.board import BoardSampler
    from edgevid.pipeline import Pipeline
    from edgevid.supervise import Supervisor

EXAMPLES = """examples:
  edgevid run action.edgevid --source clip.mp4
  edgevid run action.edgevid --source clip.mp4 --json > decisions.jsonl
  edgevid run gestures.edgevid falls.edgevid --source clip.mp4
  edgevid run action.edgevid --source picamera2
  edgevid run action.edgevid --source 'v4l2:/dev/video0?size=640x480&fps=30' --record seen.avi
  edgevid run action.edgevid --source replay:seen.avi
  edgevid run gestures.edgevid --source synthetic:7 --max-frames 600
  edgevid run action.edgevid --source picamera2 --mqtt mqtt://homeassistant.local/hall/camera --clips clips --metrics :9464
  edgevid run --config deployment.toml --json"""

BOARD_ROOT = Path("/")
# Everything that takes decisions, events or frames: a module each, in the order in which they are called.
GROUPS: tuple[OptionGroup, ...] = (lines, outputs, record, trial)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    config.add(parser)
    models.add(parser)
    sources.add(parser)
    for group in GROUPS:
        group.add(parser)


def expand(argv: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Take the options of `--config` before those that were written.

    Args:
        argv: As written, without the verb.
        parser: The verb's own.

    Returns:
        Arguments to parse.
    """
    return config.expand(argv, parser)


def run(args: argparse.Namespace) -> int:
    """Run the bundles until the stream ends or a signal comes.

    Args:
        args: Parsed options.

    Returns:
        0.
    """
    from edgevid.board import BoardSampler
    from edgevid.pipeline import Pipeline

    config.refuse_abbreviation(args)
    lanes = models.open(args)
    with sources.open(args, lanes[0].engine.bundle.manifest) as source, BoardSampler(BOARD_ROOT) as board:
        opened = open_groups(GROUPS, args, Setup(lanes=lanes, source=source, board=board))
        pipeline = Pipeline(lanes, source, opened.outputs, taps=opened.taps, policy=args.policy, stall_s=args.stall)
        try:
            with _settled(), stopped_by_signals(pipeline), _supervised(pipeline, board):
                pipeline.run(max_frames=args.max_frames)
        except SourceError:
            _summarise(pipeline, args, source.name, board)
            raise
        _summarise(pipeline, args, source.name, board)
    return 0


def _supervised(pipeline: Pipeline, board: BoardSampler) -> Supervisor:
    from edgevid.notify import Notifier
    from edgevid.pace import Pacer, paces
    from edgevid.supervise import Supervisor

    levels = paces(keeps_state=all(lane.engine.keeps_state for lane in pipeline.lanes))
    return Supervisor(pipeline, board=board, notifier=Notifier(), pacer=Pacer(levels=levels) if pipeline.live else None)


def _summarise(pipeline: Pipeline, args: argparse.Namespace, source: str, board: BoardSampler) -> None:
    """Say on standard error what each model cost and found, and how the board was, where there was a frame at all."""
    board.stop()
    for path, lane in zip(args.bundles, pipeline.lanes, strict=True):
        if lane.telemetry.seen:
            sys.stderr.write(f"{path.name} on {source}, {lane.engine.interpreter}, threads: {lane.engine.threads}\n{lane.telemetry.as_table()}\n")
    if pipeline.telemetry.seen:
        sys.stderr.write(f"{board.history.as_text()}\n")


@contextmanager
def _settled() -> Iterator[None]:
    """Spare what is there by now, which stays to the end, from being searched for garbage: that held the loop up for 13 ms at a time on a server."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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
