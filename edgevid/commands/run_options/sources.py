"""Where the frames come from: `--source` and what belongs to it."""

from __future__ import annotations

import argparse

from edgevid.capture.open import POLICIES, SOURCES_HELP
from edgevid.commands.options import positive


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the source and how long it is read.

    Args:
        parser: The verb's.
    """
    parser.add_argument("--source", required=True, metavar="SOURCE", help=SOURCES_HELP)
    policies = "live: the newest frame, older ones dropped and counted, a broken camera opened again; file: every frame, the source waits"
    parser.add_argument("--policy", choices=POLICIES, help=f"{policies} (default: the source's kind)")
    parser.add_argument(
        "--max-frames", type=positive, metavar="N", help="stop after N frames of the source (default: at its end)"
    )
    parser.add_argument(
        "--stall",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="a source that gives no frame for this long hangs: a camera is opened again, anything else fails (default: 10)",
    )
