"""Lines on standard output: sentences, or JSON with `--json`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from edgevid.commands.options import Option

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike

OPTIONS: tuple[Option, ...] = (
    Option(name="--json", nargs=0, help="print every decision and every event as one JSON object per line"),
)


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Return the one output that is always on: lines on standard output."""
    from edgevid.api.outputs import Lines

    return [Lines(json=args.json)]
