"""What a model sees of the pictures: turned, then cut, then around a person, as in its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgevid.errors import UsageError
from edgevid.frames.orientation import Flip, Orientation, Rotation
from edgevid.frames.region import WHOLE, Region, are_shares, text
from edgevid.schema import optional

Follow = Literal["none", "person"]
FOLLOWS: tuple[Follow, ...] = get_args(Follow)


@dataclass(frozen=True, kw_only=True, slots=True)
class Framing:
    """A turn of the pictures, a part of them, and whom the part follows.

    Attributes:
        rotate: Degrees clockwise, the first step.
        flip: The flip after it.
        box: (x, y, width, height) of the turned pictures, as `Region.box` has it; None for all of them.
        masks: Polygons of them whose outside is black, as `Region.masks` has them.
        follow: "person" cuts a square around the person in that part; "none" keeps the part.

    Raises:
        UsageError: A value is not legal.
    """

    rotate: Rotation = optional(0)  # noqa: RUF009  # it returns a field
    flip: Flip = optional("none")  # noqa: RUF009  # it returns a field
    box: tuple[float, ...] | None = optional(None)
    masks: tuple[tuple[float, ...], ...] = optional(())
    follow: Follow = optional("none")  # noqa: RUF009  # it returns a field

    def __post_init__(self) -> None:
        # Both check their values.
        _ = self.orientation, self.region
        UsageError.unless(self.follow in FOLLOWS, expected="whom to follow", choices=FOLLOWS, got=self.follow)

    @property
    def orientation(self) -> Orientation:
        """The rotation and flip."""
        return Orientation(rotate=self.rotate, flip=self.flip)

    @property
    def region(self) -> Region:
        """The part of the turned pictures."""
        return Region(box=self.box, masks=self.masks)

    @property
    def is_plain(self) -> bool:
        """Whether pictures stay as they are."""
        return self.orientation.is_upright and self.region.is_whole and self.follow == "none"

    def check_shares(self) -> None:
        """Reject numbers in pixels, which mean another part for a camera of another size.

        Raises:
            UsageError: The rectangle or a polygon is in pixels.
        """
        for numbers in (*(() if self.box is None else (self.box,)), *self.masks):
            UsageError.unless(
                are_shares(numbers),
                expected="shares of the picture in a region or mask that a model is trained on",
                found=f"{text(numbers)}, which are pixels",
                hint="Write them with a point, such as 0.25,0.1,0.5,0.8: they fit a camera of any size.",
            )

    def __str__(self) -> str:
        """Return the options that set it, as in "--rotate 90 --follow person"."""
        words = [
            *([f"--rotate {self.rotate}"] if self.rotate else []),
            *([f"--flip {self.flip}"] if self.flip != "none" else []),
            *([] if self.box is None else [f"--region {text(self.box)}"]),
            *(f"--mask {text(mask)}" for mask in self.masks),
            *([f"--follow {self.follow}"] if self.follow != "none" else []),
        ]
        return " ".join(words)


PLAIN = Framing()


@dataclass(frozen=True, kw_only=True, slots=True)
class FramingChoice:
    """What somebody chose of a framing. None leaves it to the model, which carries that of its training.

    Attributes:
        rotate: Degrees clockwise.
        flip: The flip after it.
        region: Rectangle and masks, which are chosen together.
        follow: "person" or "none".

    Raises:
        UsageError: A value is not legal.
    """

    rotate: Rotation | None = None
    flip: Flip | None = None
    region: Region | None = None
    follow: Follow | None = None

    def __post_init__(self) -> None:
        _ = self.over(PLAIN)

    def over(self, trained: Framing) -> Framing:
        """Return the framing to use.

        Args:
            trained: That of the training.
        """
        region = trained.region if self.region is None else self.region
        return Framing(
            rotate=trained.rotate if self.rotate is None else self.rotate,
            flip=trained.flip if self.flip is None else self.flip,
            box=None if region.box is None else tuple(region.box),
            masks=tuple(tuple(mask) for mask in region.masks),
            follow=trained.follow if self.follow is None else self.follow,
        )

    def left_to(self, trained: Framing) -> Framing:
        """Return what of a training's framing is used because nobody chose otherwise."""
        nothing = FramingChoice(
            rotate=None if self.rotate is None else 0,
            flip=None if self.flip is None else "none",
            region=None if self.region is None else WHOLE,
            follow=None if self.follow is None else "none",
        )
        return nothing.over(trained)


NO_CHOICE = FramingChoice()
