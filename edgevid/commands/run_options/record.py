"""Keep what the source delivered, to be seen again with `--source replay:FILE`: `--record`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike


def add(parser: argparse.ArgumentParser) -> None:
    """Declare `--record`.

    Args:
        parser: The verb's.
    """
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE.avi",
        help="write every frame to a video, and its times to FILE.pts, for --source replay:FILE.avi",
    )


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Record, if a recording is asked for.

    Args:
        args: Parsed options.

    Returns:
        One output, or none.
    """
    from edgevid.api.outputs import Record

    return [] if args.record is None else [Record(args.record)]
