"""`--record`: store what the source delivers, to replay it with `--source replay:FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import Option

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

OPTIONS: tuple[Option, ...] = (
    Option(
        name="--record",
        type=Path,
        metavar="FILE.avi",
        help="write every frame to a new video, and its time to FILE.pts. Replay both with --source replay:FILE.avi",
    ),
)


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Return the recording, if one is requested."""
    from edgevid.api.outputs import Record

    return [] if args.record is None else [Record(args.record)]
