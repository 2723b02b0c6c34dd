"""The part of a picture that a model sees: a rectangle, and polygons outside of which all is black.

Its coordinates are those of the picture that people see, after `--rotate` and `--flip`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgevid.errors import SourceError, UsageError
from edgevid.frames import Array

Numbers = tuple[float, ...]
# Fewer pixels than this show nothing that a classifier could tell apart.
LEAST_PX = 8
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_UNITS = "in pixels, or with a point in shares of the picture from 0.0 to 1.0"


def numbers(words: str) -> Numbers:
    """Read numbers with commas between them.

    Args:
        words: Such as "0.25,0.1,0.5,0.8". With a point in any number, all are shares.

    Returns:
        Only floats, or only whole numbers.

    Raises:
        UsageError: Something is no number of at least 0.
    """
    each = [word.strip() for word in words.split(",")]
    UsageError.unless(
        all(_NUMBER.fullmatch(word) for word in each),
        expected=f"numbers of at least 0 with commas between them, {_UNITS}",
        got=words,
    )
    return tuple(map(float if "." in words else int, each))


def text(values: Iterable[float]) -> str:
    """Write numbers as `numbers` reads them."""
    return ",".join(map(str, values))


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A rectangle of the picture, and polygons of which the rest is black.

        edgevid.Region(box=(0.25, 0.1, 0.5, 0.8), masks=[(0.3, 0.1, 0.7, 0.1, 0.5, 0.9)])

    With a float among them, the numbers of a rectangle or polygon are shares of the picture, from 0
    to 1. Without, they are pixels.

    Attributes:
        box: (x, y, width, height) from the top left; None for the whole picture.
        masks: The corners (x1, y1, x2, y2, x3, y3, ...) of each polygon, in the same picture. A pixel
            stays if its centre is inside of any. None of them leaves all pixels.

    Raises:
        UsageError: A rectangle or polygon is empty, too small, or beyond the picture.
    """

    box: Sequence[float] | None = None
    masks: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        # Tuples, so that nobody changes a list in the middle of a run.
        if self.box is not None:
            object.__setattr__(self, "box", _checked_box(self.box))
        object.__setattr__(self, "masks", tuple(_checked_polygon(mask) for mask in self.masks))

    @property
    def is_whole(self) -> bool:
        """Whether pictures stay as they are."""
        return self.box is None and not self.masks

    def place(self, size_px: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the rectangle in a picture of a size.

        Args:
            size_px: (width, height) of the picture.

        Returns:
            (left, top, right, bottom) in pixels, the last two not included.

        Raises:
            SourceError: The rectangle is not inside of the picture, or too small in it.
        """
        if self.box is None:
            return 0, 0, *size_px
        x, y, width, height = self.box
        # Both edges are rounded, so that regions that touch have no gap and share no column.
        corners = _in_px((x, y, x + width, y + height), self.box, size_px)
        left, top, right, bottom = (round(each) for each in corners)
        picture = f"pictures of {size_px[0]}x{size_px[1]} px from this source"
        if right > size_px[0] or bottom > size_px[1]:
            raise SourceError(expected=f"a region inside of the {picture}", found=text(self.box))
        if min(right - left, bottom - top) < LEAST_PX:
            raise SourceError(
                expected=f"a region of at least {LEAST_PX} px a side in the {picture}",
                found=f"{right - left}x{bottom - top} px",
            )
        return left, top, right, bottom

    def visible(self, size_px: tuple[int, int]) -> Array | None:
        """Return which pixels of the rectangle the polygons leave.

        Args:
            size_px: (width, height) of the picture.

        Returns:
            (height, width) bool of the rectangle; None without polygons.

        Raises:
            SourceError: A polygon is not inside of the picture, or they leave next to nothing.
        """
        if not self.masks:
            return None
        left, top, right, bottom = self.place(size_px)
        inside = np.zeros((bottom - top, right - left), bool)
        for mask in self.masks:
            corners = _in_px(mask, mask, size_px)
            if max(corners[::2]) > size_px[0] or max(corners[1::2]) > size_px[1]:
                picture = f"pictures of {size_px[0]}x{size_px[1]} px from this source"
                raise SourceError(expected=f"a mask inside of the {picture}", found=text(mask))
            inside |= _inside(corners, inside.shape, left=left, top=top)
        if inside.sum() < LEAST_PX**2:
            raise SourceError(
                expected=f"masks that leave at least {LEAST_PX**2} pixels of the region", found=str(inside.sum())
            )
        return inside


RegionLike = Region | str | Sequence[float] | None
WHOLE = Region()


def as_region(value: RegionLike) -> Region:
    """Return a region for each way to write one.

    Args:
        value: A region; a rectangle as four numbers or as a text such as "0.25,0.1,0.5,0.8"; None for
            the whole picture.

    Raises:
        UsageError: The value is none of these, or not legal.
    """
    if isinstance(value, Region):
        return value
    if value is None:
        return WHOLE
    return Region(box=numbers(value) if isinstance(value, str) else value)


def _in_px(values: Sequence[float], unit: Sequence[float], size_px: tuple[int, int]) -> Numbers:
    """Return x and y in turn in pixels."""
    scale = size_px if are_shares(unit) else (1, 1)
    return tuple(value * scale[index % 2] for index, value in enumerate(values))


def _inside(corners: Numbers, shape: tuple[int, ...], *, left: int, top: int) -> Array:
    """Return whether the centre of each pixel is inside of a polygon, by the even-odd rule."""
    height, width = shape
    columns, rows = np.arange(left, left + width) + 0.5, np.arange(top, top + height) + 0.5
    inside = np.zeros(shape, bool)
    points = list(zip(corners[::2], corners[1::2], strict=True))
    for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
        crossed = (y1 <= rows) != (y2 <= rows)
        at = x1 + (rows[crossed] - y1) * (x2 - x1) / ((y2 - y1) or 1.0)
        # Each edge on the right of a pixel takes it across the outline once.
        inside[crossed] ^= columns[None, :] < at[:, None]
    return inside


def _checked_box(box: Sequence[float]) -> Numbers:
    values = _checked_numbers(box, "a region x,y,width,height", is_legal=lambda count: count == 4)
    _, _, width, height = values
    least, unit = (0.0, "above 0") if are_shares(values) else (LEAST_PX, f"of at least {LEAST_PX} px")
    UsageError.unless(
        min(width, height) > 0 and min(width, height) >= least,
        expected=f"a region with a width and a height {unit}",
        found=text(values),
        hint="" if are_shares(values) else "Write shares of the picture with a point, such as 0.25,0.1,0.5,0.8.",
    )
    _check_shares((values[0] + width, values[1] + height), values, "a region")
    return values


def _checked_polygon(corners: Sequence[float]) -> Numbers:
    values = _checked_numbers(
        corners, "a mask x1,y1,x2,y2,x3,y3[,...]", is_legal=lambda count: count >= 6 and count % 2 == 0
    )
    across, down = values[::2], values[1::2]
    UsageError.unless(
        max(across) > min(across) and max(down) > min(down),
        expected="a mask with an area",
        found=f"{text(values)}, whose corners are on one line",
    )
    _check_shares(values, values, "a mask")
    return values


def _checked_numbers(values: Iterable[float], what: str, *, is_legal: Callable[[int], bool]) -> Numbers:
    checked = tuple(values)
    is_number = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in checked)
    # False for NaN too.
    UsageError.unless(
        is_number and is_legal(len(checked)) and all(0 <= each < 2**31 for each in checked),
        expected=f"{what}, {_UNITS}",
        found=text(checked) or "nothing",
    )
    return checked


def _check_shares(ends: Iterable[float], values: Numbers, what: str) -> None:
    if not are_shares(values):
        return
    UsageError.unless(
        max(*ends, *values) <= 1,
        expected=f"{what} inside of the picture, whose shares end at 1.0",
        found=text(values),
        hint="Write pixels without a point.",
    )


def are_shares(values: Sequence[float]) -> bool:
    """Return whether numbers are shares of the picture, and no pixels."""
    return any(isinstance(each, float) for each in values)
