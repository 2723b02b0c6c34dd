"""`--timeline`: what was seen when, in one or several files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import Option

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

OPTIONS: tuple[Option, ...] = (
    Option(
        name="--timeline",
        type=Path,
        metavar="FILE",
        is_repeated=True,
        help="write what was seen when in a video: a page with pictures that plays it (.html), a table (.csv), or "
        "subtitles (.srt, .vtt). May be given several times",
    ),
)


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Return one output for each file.

    Raises:
        UsageError: A file is of another kind.
    """
    from edgevid.api.outputs import Timeline

    return [Timeline(path) for path in args.timeline]
