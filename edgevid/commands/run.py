"""Run one or several bundles on a stream of frames, and print the events they detect.

Each event is printed to standard output when it ends. A latency table follows on
standard error at the end of the stream, or when you press Ctrl-C.

With --json, standard output has one JSON object per line. A decision has t_s,
label, score, scores and age_ms, and values if the model has other outputs
besides its classes, and counts with --count. An event has event, start_s, end_s
and score. With several bundles, each object also names its model.
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

from edgevid.commands.options import Option, add_options
from edgevid.commands.run_options import config, lines, models, outputs, record, sources, timeline
from edgevid.commands.run_options.group import OptionGroup
from edgevid.errors import OutputError, SourceError

if TYPE_CHECKING:
    from edgevid.api.session import Session

EXAMPLES = """examples:
  edgevid run action.edgevid --source clip.mp4
  edgevid run action.edgevid --source clip.mp4 --json > decisions.jsonl
  edgevid run gestures.edgevid falls.edgevid --source clip.mp4
  edgevid run action.edgevid --source long.mp4 --timeline seen.html --timeline seen.srt
  edgevid run pose.edgevid --source clip.mp4 --keypoints pose
  edgevid run squats.edgevid --source workout.mp4 --count up,down
  edgevid run action.edgevid --source picamera2
  edgevid run action.edgevid --source picamera2 --region 0.25,0.1,0.5,0.8
  edgevid run action.edgevid --source picamera2 --follow person
  edgevid run action.edgevid --source 'v4l2:/dev/video0?size=640x480&fps=30' --record seen.avi
  edgevid run action.edgevid --source replay:seen.avi
  edgevid run gestures.edgevid --source synthetic:7 --max-frames 600
  edgevid run action.edgevid --source picamera2 --mqtt mqtt://homeassistant.local/hall/camera \\
    --clips clips --metrics :9464
  edgevid run --config deployment.toml --json"""

# Tests read a planted board instead.
BOARD_ROOT = Path("/")
# The groups of outputs, in the order of the help.
GROUPS: tuple[OptionGroup, ...] = (lines, outputs, record, timeline)
# Everything that the command line and a TOML file may contain.
OPTIONS: tuple[Option, ...] = (
    *models.OPTIONS,
    *sources.OPTIONS,
    *(option for group in GROUPS for option in group.OPTIONS),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_options(parser, (config.OPTION, *OPTIONS))


def expand(argv: Sequence[str], _parser: argparse.ArgumentParser) -> list[str]:
    """Insert the options of the `--config` file before those of the command line.

    Args:
        argv: The command line, without the command.

    Returns:
        Words to parse.
    """
    return config.expand(argv, OPTIONS)


def run(args: argparse.Namespace) -> int:
    """Run the bundles until the stream ends or a signal arrives."""
    from edgevid.api.session import Session

    config.reject_abbreviation(args)
    requested = [output for group in GROUPS for output in group.outputs(args)]
    watch = models.passport_watch(args, root=BOARD_ROOT)
    session = Session(
        models.load(args),
        source=args.source,
        outputs=[*requested, *([watch] if watch else [])],
        policy=args.policy,
        stall_s=args.stall,
        rotate=args.rotate,
        flip=args.flip,
        region=sources.region(args),
        follow=args.follow,
        region_file=args.region_file,
        count=args.count,
        exit_when_stuck=True,
        board_root=BOARD_ROOT,
    )
    with session:
        if watch:
            watch.lanes = session.pipeline.lanes
        try:
            with stopped_by_signals(session) as stopped:
                session.run(max_frames=args.max_frames)
        except SourceError:
            # A run of a week that loses its camera should still report what it saw.
            sys.stderr.write(session.summary())
            raise
        sys.stderr.write(session.summary())
        if session.failures:
            raise OutputError("; ".join(session.failures))
        silent = _silent_models(session)
        # A stream that somebody stopped early owes no answer.
        if silent and not stopped and args.max_frames is None:
            if len(silent) == len(session.pipeline.lanes):
                raise silent[0]
            sys.stderr.write("".join(f"{error}\n" for error in silent))
    return 0


def _silent_models(session: Session) -> list[SourceError]:
    """Return an error for each model that never answered."""
    errors = []
    for lane in session.pipeline.lanes:
        telemetry, window = lane.telemetry, lane.engine.bundle.manifest.window
        if telemetry.decisions == 0:
            gaps = f" with {telemetry.gaps} gaps between them" if telemetry.gaps else ""
            errors.append(
                SourceError(
                    expected=f"{window.frames} frames, {window.interval_s:g} s apart, for an answer of {lane.name}",
                    found=f"{telemetry.taken}{gaps} from {session.source.name}",
                    hint="Use a longer source.",
                )
            )
    return errors


@contextmanager
def stopped_by_signals(session: Session) -> Iterator[list[int]]:
    """Stop the session on the first SIGINT, SIGTERM or SIGHUP; a second one has its usual effect.

    A closed terminal sends SIGHUP. `nohup` makes the process ignore it, and so it stays then.

    Args:
        session: The session to stop.

    Yields:
        The numbers of the signals that came; the handlers are installed until the context exits.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]

    stopped: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stopped.append(number)
        session.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
