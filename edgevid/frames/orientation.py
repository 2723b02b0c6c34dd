"""How pictures are turned before anybody sees them, for a camera that is mounted sideways or upside down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgevid.errors import UsageError

Rotation = Literal[0, 90, 180, 270]
Flip = Literal["none", "horizontal", "vertical", "both"]
ROTATIONS: tuple[Rotation, ...] = get_args(Rotation)
FLIPS: tuple[Flip, ...] = get_args(Flip)


@dataclass(frozen=True, kw_only=True, slots=True)
class Orientation:
    """A rotation and then a flip of upright pictures, as `--rotate` and `--flip` set them.

    Attributes:
        rotate: Degrees clockwise.
        flip: "horizontal" swaps left and right, "vertical" top and bottom.

    Raises:
        UsageError: A value is not legal.
    """

    rotate: Rotation = 0
    flip: Flip = "none"

    def __post_init__(self) -> None:
        if self.rotate not in ROTATIONS or isinstance(self.rotate, bool):
            raise UsageError(expected="a rotation in degrees", choices=tuple(map(str, ROTATIONS)), got=self.rotate)
        if self.flip not in FLIPS:
            raise UsageError(expected="a flip", choices=FLIPS, got=self.flip)

    @property
    def is_quarter(self) -> bool:
        """Whether width and height are swapped."""
        return self.rotate in (90, 270)

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether to flip (left and right, top and bottom), after a quarter turn clockwise if `is_quarter`."""
        # A half turn is both flips, and 270 degrees are a quarter turn and a half turn.
        is_half = self.rotate >= 180
        return is_half != (self.flip in ("horizontal", "both")), is_half != (self.flip in ("vertical", "both"))

    @property
    def is_upright(self) -> bool:
        """Whether pictures stay as they are."""
        return not self.is_quarter and not any(self.flips)


UPRIGHT = Orientation()
