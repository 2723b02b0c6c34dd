"""Resizing, colour conversion and JPEG encoding: the only module that imports OpenCV, and only on demand.

A frame in the model's size and colour, such as from a camera whose ISP resizes, does not need OpenCV.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevid.errors import MissingDependency
from edgevid.frames import Array, Color

if TYPE_CHECKING:
    from types import ModuleType

_MOST_PIXELS = 2**26
_CV_INTERPOLATION = {"nearest": "INTER_NEAREST", "linear": "INTER_LINEAR", "area": "INTER_AREA", "cubic": "INTER_CUBIC"}


def opencv(purpose: str) -> ModuleType:
    """Import `cv2`, limited to one thread.

    Args:
        purpose: The task that needs OpenCV, for the error message.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """
    if "OPENCV_FFMPEG_DEBUG" not in os.environ:
        # libavutil/log.h: AV_LOG_QUIET. FFmpeg writes raw lines to stderr; our errors report failures.
        # OpenCV reads the variable with the first video.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # Read with the import. A header can announce pictures of gigabytes; cameras have up to 64 megapixels.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MOST_PIXELS))
    try:
        import cv2
    except ImportError as error:
        raise MissingDependency(
            expected=f"OpenCV for {purpose}", found="none", hint="Run: pip install 'edgevid[opencv]'."
        ) from error
    # Its thread pool competes with the interpreter's, and costs more than it saves at these sizes.
    cv2.setNumThreads(1)
    return cv2


def silence_opencv() -> None:
    """Turn OpenCV's log off: on a failure it prints the address of a stream with its password to stderr.

    FFmpeg's own log is off unless OPENCV_FFMPEG_DEBUG is set. Our errors report the failure.
    """
    cv2 = opencv("reading video")
    if hasattr(cv2, "setLogLevel"):  # OpenCV 4
        cv2.setLogLevel(0)
    else:  # OpenCV 5
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def yuv_converter(layout: str, target: Color, *, width_px: int) -> Callable[[Array, Array], None]:
    """Return the conversion from a camera's luma and chroma planes to pixels.

    Args:
        layout: "YUV420" (planes Y, U, V) or "NV12" (planes Y, UV).
        target: "rgb", "bgr" or "gray".
        width_px: Width of the picture; rows in memory may be longer.

    Returns:
        A function `(planes, out)`: planes (H * 3 / 2, row length) uint8, out (H, W, C) uint8.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """
    cv2 = opencv(f"converting {layout} frames to {target}")
    code = getattr(cv2, f"COLOR_YUV2{target.upper()}_{'I420' if layout == 'YUV420' else layout}")

    def convert(planes: Array, out: Array) -> None:
        if planes.shape[1] == width_px:
            cv2.cvtColor(planes, code, dst=out)
        else:
            # OpenCV does not support padded rows: convert the padding too, and crop.
            np.copyto(out, cv2.cvtColor(planes, code)[:, :width_px])

    return convert


def converter(source: Color, target: Color) -> Callable[[Array, Array], None] | None:
    """Return the colour conversion from one channel order to another.

    Args:
        source: Channel order of the frame.
        target: Channel order of the model.

    Returns:
        A function `(pixels, out)`, both (H, W, C) uint8; None for equal orders.

    Raises:
        MissingDependency: If OpenCV is needed and not installed.
    """
    if source == target:
        return None
    # The most common conversion works without OpenCV.
    if {source, target} == {"rgb", "bgr"}:
        return lambda pixels, out: np.copyto(out, pixels[:, :, ::-1])
    cv2 = opencv(f"converting {source} frames to {target}")
    code = getattr(cv2, f"COLOR_{source.upper()}2{target.upper()}")

    def convert(pixels: Array, out: Array) -> None:
        # OpenCV's one-channel results have two axes; the view shares the memory of `out`.
        cv2.cvtColor(pixels, code, dst=out[:, :, 0] if target == "gray" else out)

    return convert


def resizer(
    rule: str, interpolation: str, *, source: tuple[int, ...], target: tuple[int, int]
) -> Callable[[Array, Array], None]:
    """Return the resize from one frame size to another.

    Args:
        rule: "stretch", "crop" (largest centred part of the target's aspect) or "letterbox" (whole
            frame, black bars).
        interpolation: "nearest", "linear", "area" or "cubic".
        source: Shape (H, W, C) of the frames.
        target: Wanted size (H, W).

    Returns:
        A function `(pixels, out)`, both (H, W, C) uint8, `out` contiguous.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """
    cv2 = opencv(f"resizing frames of {source[1]}x{source[0]} to {target[1]}x{target[0]}")
    mode = getattr(cv2, _CV_INTERPOLATION[interpolation])
    fit = _aspect_fit(source[:2], target) if rule == "letterbox" else target
    fill = _filler(cv2, mode, size=(fit[1], fit[0]), gray=source[2] == 1)
    if rule == "stretch":
        return fill
    cut = _centred(source[:2], _aspect_crop(source[:2], target)) if rule == "crop" else (slice(None), slice(None))
    place = _centred(target, fit)

    def cut_and_place(pixels: Array, out: Array) -> None:
        # The bars of a letterbox. At every frame: the caller may have written into `out`.
        if fit != target:
            out[...] = 0
        fill(pixels[cut], out[place])

    return cut_and_place


def _filler(cv2: Any, mode: int, *, size: tuple[int, int], gray: bool) -> Callable[[Array, Array], None]:
    """Return a plain resize into `out`, which may be a view with gaps between contiguous rows."""
    # Looked up once: the module's dict of thousands of names falls out of the processor's cache.
    resize = cv2.resize
    if gray:  # OpenCV's one-channel pictures have two axes
        return lambda pixels, out: resize(pixels, size, out[:, :, 0], 0, 0, mode)
    return lambda pixels, out: resize(pixels, size, out, 0, 0, mode)


def _aspect_crop(source: tuple[int, ...], target: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (H, W) inside `source` with the aspect of `target`."""
    height, width = source
    cut_height = min(height, round(width * target[0] / target[1]))
    cut_width = min(width, round(height * target[1] / target[0]))
    # At least one pixel: rounding can make the cut of a narrow frame 0 wide.
    return max(1, cut_height), max(1, cut_width)


def _aspect_fit(source: tuple[int, ...], target: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (H, W) inside `target` with the aspect of `source`."""
    scale = min(target[0] / source[0], target[1] / source[1])
    return max(1, round(source[0] * scale)), max(1, round(source[1] * scale))


def _centred(outer: tuple[int, ...], inner: tuple[int, int]) -> tuple[slice, slice]:
    top, left = (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2
    return slice(top, top + inner[0]), slice(left, left + inner[1])


def turner(*, is_quarter: bool, flips: tuple[bool, bool]) -> Callable[[Array, Array], None]:
    """Return a turn of whole pictures.

    Args:
        is_quarter: Whether to turn by 90 degrees clockwise.
        flips: Whether to flip (left and right, top and bottom) after that.

    Returns:
        A function `(pixels, out)`, both (H, W, C) uint8, `out` contiguous and with the swapped height
        and width after a quarter turn.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """
    cv2 = opencv("turning pictures")
    # A quarter turn clockwise is a transposition and a flip of left and right.
    flip_x, flip_y = flips[0] != is_quarter, flips[1]
    code = -1 if flip_x and flip_y else int(flip_x)

    def turn(pixels: Array, out: Array) -> None:
        # OpenCV's one-channel pictures have two axes; the view shares the memory of `out`.
        into = out[:, :, 0] if out.shape[2] == 1 else out
        if is_quarter:
            cv2.transpose(pixels, into)
            pixels = into
        if flip_x or flip_y:
            cv2.flip(pixels, code, into)

    return turn


def warper(size_px: int, *, has_bars: bool) -> Callable[[Array, Array, Array], None]:
    """Return a crop of a turned part of a picture.

    Args:
        size_px: Side of the square crop.
        has_bars: Whether pixels beyond the picture are black. Else the picture's edge is repeated.

    Returns:
        A function `(pixels, matrix, out)`: pixels (H, W, C) uint8, matrix (3, 3) float64 from the
        picture to the crop, out (size_px, size_px, C) uint8, contiguous.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """
    cv2 = opencv("cropping key points")
    border = cv2.BORDER_CONSTANT if has_bars else cv2.BORDER_REPLICATE
    size = (size_px, size_px)

    def warp(pixels: Array, matrix: Array, out: Array) -> None:
        cv2.warpPerspective(pixels, matrix, size, out, cv2.INTER_LINEAR, border)

    return warp


def shrinker(size_px: tuple[int, int], *, gray: bool) -> Callable[[Array, Array], None]:
    """Return a fast resize for pictures that people look at.

    Args:
        size_px: (width, height) of the result.
        gray: Whether the pictures have one channel.

    Returns:
        A function `(pixels, out)`, both (H, W, C) uint8, `out` contiguous and of size `size_px`.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """
    cv2 = opencv("pictures for people")
    return _filler(cv2, cv2.INTER_LINEAR, size=size_px, gray=gray)


class Encoder:
    """A JPEG encoder.

    Args:
        quality: JPEG quality, 1 to 100.

    Raises:
        MissingDependency: If OpenCV is not installed.
    """

    def __init__(self, quality: int) -> None:
        self._cv2 = opencv("pictures for people")
        self._options = [self._cv2.IMWRITE_JPEG_QUALITY, quality]
        self._bgr: Array = np.empty(0, np.uint8)

    def encode(self, pixels: Array, color: str) -> Array:
        """Encode a picture; OpenCV releases Python's global lock meanwhile.

        Args:
            pixels: (H, W, 3) or (H, W, 1) uint8.
            color: "rgb", "bgr" or "gray".

        Returns:
            The file as (bytes,) uint8.
        """
        # imencode expects BGR.
        if color == "rgb":
            if self._bgr.shape != pixels.shape:
                self._bgr = np.empty_like(pixels)
            pixels = self._cv2.cvtColor(pixels, self._cv2.COLOR_RGB2BGR, dst=self._bgr)
        return self._cv2.imencode(".jpg", pixels, self._options)[1]
