"""`--source`, where the frames come from, and the options that go with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.bundle.framing import FOLLOWS
from edgevid.capture.open import POLICIES, SOURCES_HELP
from edgevid.commands.options import Option, positive_int, positive_seconds
from edgevid.errors import UsageError
from edgevid.frames.orientation import FLIPS, ROTATIONS

if TYPE_CHECKING:
    from edgevid.frames.region import Region


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


def box(text: str) -> tuple[float, ...]:
    """Read a rectangle of the picture.

    Args:
        text: "x,y,width,height", as `edgevid.Region` takes it.

    Returns:
        The numbers.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _coordinates(text, lambda numbers, kind: kind(box=numbers))


def polygon(text: str) -> tuple[float, ...]:
    """Read a polygon in the picture.

    Args:
        text: "x1,y1,x2,y2,x3,y3,...", as `edgevid.Region` takes it.

    Returns:
        The numbers.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    return _coordinates(text, lambda numbers, kind: kind(masks=[numbers]))


def region(args: argparse.Namespace) -> Region | None:
    """Return what the models see of the pictures; None for all.

    Args:
        args: The parsed arguments.

    Raises:
        UsageError: There are a region and a file that keeps it.
    """
    if args.region is None and not args.mask:
        return None
    from edgevid.frames.region import Region

    UsageError.unless(
        args.region_file is None,
        expected="either --region and --mask, or --region-file",
        found="both",
        hint=f"Write them into {args.region_file}.",
    )
    return Region(box=args.region, masks=args.mask)


def _coordinates(text: str, check: Callable[[tuple[float, ...], type[Region]], Region]) -> tuple[float, ...]:
    # NumPy, which a help text does without.
    from edgevid.frames.region import Region, numbers

    try:
        values = numbers(text)
        check(values, Region)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return values


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


# Also those of commands that measure a model on recordings of the camera.
FRAMING: tuple[Option, ...] = (
    Option(
        name="--rotate",
        type=rotation,
        metavar="DEGREES",
        help="turn every picture clockwise: 0, 90, 180 or 270 (default: as in training, else 0). A phone's video is "
        "upright without it",
    ),
    Option(
        name="--flip",
        choices=FLIPS,
        help="then swap left and right, top and bottom, or both (default: as in training, else none)",
    ),
    Option(
        name="--region",
        type=box,
        metavar="X,Y,WIDTH,HEIGHT",
        help="let the models see this rectangle of the turned pictures alone: in pixels, or with a point in shares "
        "of the picture, such as 0.25,0.1,0.5,0.8 (default: as in training, else the whole picture)",
    ),
    Option(
        name="--mask",
        type=polygon,
        metavar="X1,Y1,X2,Y2,X3,Y3[,...]",
        is_repeated=True,
        help="let them see this polygon of it alone; the rest is black. Repeatable, for several polygons",
    ),
    Option(
        name="--follow",
        choices=FOLLOWS,
        help="person: let them see a square around a person in the region alone, as 'edgevid fetch keypoints' finds "
        "one; none: all of it (default: as in training, else none)",
    ),
)
OPTIONS: tuple[Option, ...] = (
    Option(name="--source", required=True, metavar="SOURCE", help=SOURCES_HELP),
    Option(
        name="--policy",
        choices=POLICIES,
        help="live: take the newest frame, drop and count older ones, and open a broken camera again. "
        "file: take every frame, while the source waits "
        "(default: live for cameras, streams and replay:FILE, else file)",
    ),
    *FRAMING,
    Option(
        name="--region-file",
        type=Path,
        metavar="FILE.toml",
        help="read region and mask from this file, if it exists, and let viewers of --page change the region in it",
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
