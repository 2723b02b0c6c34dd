"""`--source`, where the frames come from, and the options that go with it."""

from __future__ import annotations

import argparse

from edgevid.capture.open import POLICIES, SOURCES_HELP
from edgevid.capture.oriented import FLIPS, ROTATIONS
from edgevid.commands.options import Option, positive_int, positive_seconds


def rotation(text: str) -> int:
    """Read a rotation in degrees.

    Args:
        text: One of `ROTATIONS`.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    legal = list(map(str, ROTATIONS))
    if text not in legal:
        raise argparse.ArgumentTypeError(f"Expected a rotation in degrees, one of {', '.join(legal)}, got {text!r}.")
    return int(text)


def first_stream(text: str) -> int:
    """Read the number of a video stream, of which OpenCV decodes the first alone.

    Args:
        text: "0".

    Returns:
        0.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    if text != "0":
        stream = text if text.isdecimal() else "N"
        raise argparse.ArgumentTypeError(
            f"Expected 0, the first video stream, the only one that OpenCV decodes, got {text!r}. "
            f"Copy the other to a file of its own: ffmpeg -i IN -map 0:v:{stream} -c copy OUT.mkv"
        )
    return 0


OPTIONS: tuple[Option, ...] = (
    Option(name="--source", required=True, metavar="SOURCE", help=SOURCES_HELP),
    Option(
        name="--policy",
        choices=POLICIES,
        help="live: take the newest frame, drop and count older ones, and open a broken camera again. "
        "file: take every frame, while the source waits "
        "(default: live for cameras, streams and replay:FILE, else file)",
    ),
    Option(
        name="--rotate",
        type=rotation,
        default=0,
        metavar="DEGREES",
        help="turn every picture clockwise: 0, 90, 180 or 270 (default: 0). A phone's video is upright without it",
    ),
    Option(
        name="--flip",
        choices=FLIPS,
        default="none",
        help="then swap left and right, top and bottom, or both (default: none)",
    ),
    Option(
        name="--stream",
        type=first_stream,
        default=0,
        metavar="N",
        help="the video stream of a file with several: 0, because OpenCV decodes the first alone",
    ),
    Option(
        name="--max-frames",
        type=positive_int,
        metavar="N",
        help="stop after N frames of the source (default: at its end)",
    ),
    Option(
        name="--stall",
        type=positive_seconds,
        default=10.0,
        metavar="SECONDS",
        help="longest wait for a frame. After it a camera is opened again; any other source fails (default: 10)",
    ),
)
