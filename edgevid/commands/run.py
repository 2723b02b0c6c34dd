"""Run one bundle or several on a stream of frames and print the events they see.

Events go to standard output as they end, the latency table to standard error when the stream ends or you press Ctrl-C.
With --json, standard output holds one JSON object a decision (t_s, label, score, scores, age_ms, and values where the model gives more than
classes) and one an event (event, start_s, end_s, score); where several bundles run, each object has its model's name.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from edgevid.commands.run_options import config, lines, models, outputs, record, sources
from edgevid.commands.run_options.group import OptionGroup
from edgevid.errors import SourceError

if TYPE_CHECKING:
    from edgevid.api.session import Session

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
GROUPS: tuple[OptionGroup, ...] = (lines, outputs, record)


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
    from edgevid.api.session import Session

    config.refuse_abbreviation(args)
    wanted = [output for group in GROUPS for output in group.outputs(args)]
    session = Session(
        models.load(args),
        source=args.source,
        outputs=wanted,
        policy=args.policy,
        stall_s=args.stall,
        exit_when_stuck=True,
        board_root=BOARD_ROOT,
    )
    with session:
        try:
            with stopped_by_signals(session):
                session.run(max_frames=args.max_frames)
        except SourceError:
            sys.stderr.write(session.summary())
            raise
        sys.stderr.write(session.summary())
    return 0


@contextmanager
def stopped_by_signals(session: Session) -> Iterator[None]:
    """End the run cleanly on the first SIGINT or SIGTERM; the second does what it did before.

    Args:
        session: To be stopped.

    Yields:
        While the handlers are in place.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        session.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
