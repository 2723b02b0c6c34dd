"""Keep what the source gave, to be seen again with `--source replay:FILE`: `--record`."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevid.commands.running.group import Opened, Setup


def add(parser: argparse.ArgumentParser) -> None:
    """Declare `--record`.

    Args:
        parser: The verb's.
    """
    parser.add_argument("--record", type=Path, metavar="FILE.avi", help="write every frame to a video, and its times to FILE.pts, for --source replay:FILE.avi")


def open(args: argparse.Namespace, setup: Setup) -> Opened:
    """Begin a recording, if one is asked for.

    Args:
        args: Parsed options.
        setup: Told how to ask for what the recording lacks.

    Returns:
        What looks at the frames, to be closed as an output.
    """
    if args.record is None:
        return Opened()
    from edgevid.recorder import Recorder

    recorder = Recorder(args.record)
    setup.reporters.append(lambda: (recorder.report(),))
    return Opened(outputs=[recorder], taps=[recorder])
