"""Lines on standard output: sentences, or JSON with `--json`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgevid.api.outputs import OutputLike


def add(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`.

    Args:
        parser: The verb's.
    """
    parser.add_argument("--json", action="store_true", help="print every decision and event as one JSON object a line")


def outputs(args: argparse.Namespace) -> list[OutputLike]:
    """Print to standard output, and the live line to standard error.

    Args:
        args: Parsed options.

    Returns:
        One output.
    """
    from edgevid.api.outputs import Lines

    return [Lines(json=args.json)]
