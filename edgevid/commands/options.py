"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

# What `StateDirectory=edgevid` of the unit is.
DEVICE_FOLDER = "/var/lib/edgevid"


def add_bundle(parser: argparse.ArgumentParser, *, what: str = "the .edgevid file") -> None:
    """Declare the bundle as the first argument, `args.bundle`.

    Args:
        parser: A verb's.
        what: To help with.
    """
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=what)


def add_slots(parser: argparse.ArgumentParser) -> None:
    """Declare the folder in which a device keeps its bundles, `args.slots`.

    Args:
        parser: A verb's.
    """
    parser.add_argument(
        "--slots",
        type=Path,
        default=Path(DEVICE_FOLDER),
        metavar="DIR",
        help=f"where the device keeps its bundles (default: {DEVICE_FOLDER})",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Declare `--threads`, `args.threads`.

    Args:
        parser: A verb's.
    """
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="interpreter threads (default: 1)")


def positive(text: str) -> int:
    """Read a whole number of at least 1.

    Args:
        text: What a person wrote.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"Expected a whole number of at least 1, got {text!r}.")
    return int(text)


def size_px(text: str) -> tuple[int, int]:
    """Read a picture size.

    Args:
        text: WIDTHxHEIGHT, as 640x480.

    Returns:
        (width, height) in pixels.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    width, cross, height = text.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"Expected WIDTHxHEIGHT, as 640x480, got {text!r}.")
    return positive(width), positive(height)
