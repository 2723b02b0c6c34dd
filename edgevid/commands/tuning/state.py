"""`--state`: where the settings from before are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgevid.commands.options import DEVICE_FOLDER


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add `--state`, `args.state`."""
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(DEVICE_FOLDER),
        metavar="DIR",
        help=f"folder that keeps what the settings were (default: {DEVICE_FOLDER})",
    )
