"""Variations of a clip, drawn once for the whole clip: frames that varied one by one would show motion that is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgevid.errors import UsageError
from edgevid.frames import Pixels
from edgevid.frames.imaging import opencv


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far a clip may vary in training.

    Attributes:
        shift: Greatest translation, as a fraction of the frame's size.
        scale: Greatest zoom in, and its inverse out, as a factor >= 1; zooming in crops.
        rotation_deg: Greatest rotation either way.
        brightness: Greatest change of every pixel, as a fraction of full white.
        contrast: Greatest factor on the distance from mid-grey, and its inverse, >= 1.
        speed: Greatest factor on the sampling interval, and its inverse, >= 1.
        flip: Class to the class that its mirror image shows; a class that is not in it is never mirrored.
    """

    shift: float = 0.1
    scale: float = 1.15
    rotation_deg: float = 6.0
    brightness: float = 0.12
    contrast: float = 1.25
    speed: float = 1.15
    flip: Mapping[str, str] = field(default_factory=dict)


NONE = Augmentation(shift=0.0, scale=1.0, rotation_deg=0.0, brightness=0.0, contrast=1.0, speed=1.0)
"""No variation at all."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """What was drawn for one clip.

    Attributes:
        speed: Factor on the sampling interval.
        mirrored: Whether left and right are exchanged.
        zoom: Factor on sizes in the picture.
        angle_deg: Rotation, counter-clockwise.
        shift: (x, y) translation as a fraction of width and height.
        contrast: Factor on the distance from mid-grey.
        brightness: Added to every pixel, as a fraction of full white.
    """

    speed: float = 1.0
    mirrored: bool = False
    zoom: float = 1.0
    angle_deg: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    contrast: float = 1.0
    brightness: float = 0.0

    def apply(self, frames: Pixels) -> Pixels:
        """Vary every frame of a window in the same way.

        Args:
            frames: (T, H, W, C) uint8; left as it is.

        Returns:
            A new array of the same shape and type. What a shift uncovers repeats the picture's edge.
        """
        cv2 = opencv("varying clips for training")
        height, width = frames.shape[1:3]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.angle_deg, self.zoom)
        matrix[:, 2] += self.shift[0] * width, self.shift[1] * height
        table = self._tones()
        varied = np.empty_like(frames)
        for frame, out in zip(frames[:, :, ::-1] if self.mirrored else frames, varied, strict=True):
            moved = cv2.warpAffine(
                np.ascontiguousarray(frame),
                matrix,
                (width, height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            out[...] = table[moved.reshape(out.shape)]
        return varied

    def _tones(self) -> Pixels:
        levels = np.arange(256, dtype=np.float32)
        return np.clip(np.rint((levels - 127.5) * self.contrast + 127.5 + 255 * self.brightness), 0, 255).astype(
            np.uint8
        )


def parse_flip(text: str, labels: Sequence[str]) -> dict[str, str]:
    """Read which classes may be mirrored.

    Args:
        text: "none", "all", or classes separated by commas, where `left=right` says that each shows the other mirrored.
        labels: The classes.

    Returns:
        Class to the class that its mirror image shows.

    Raises:
        UsageError: It names a class that is not there.
    """
    if text in ("none", "all"):
        return {label: label for label in labels} if text == "all" else {}
    flip: dict[str, str] = {}
    for item in text.split(","):
        left, _, right = item.partition("=")
        flip.update({left: right or left, right or left: left})
    unknown = sorted(set(flip) - set(labels))
    if unknown:
        raise UsageError(
            expected=f"classes to mirror, of {', '.join(labels)}", got=unknown, found=f"{', '.join(map(repr, unknown))}"
        )
    return flip


def draw(augmentation: Augmentation, rng: np.random.Generator, *, label: str) -> Variation:
    """Draw one variation.

    Args:
        augmentation: How far to go.
        rng: Source of chance.
        label: Class of the clip, which decides whether it may be mirrored.

    Returns:
        What to apply to the whole clip.
    """
    return Variation(
        speed=_factor(rng, augmentation.speed),
        mirrored=label in augmentation.flip and bool(rng.random() < 0.5),
        zoom=_factor(rng, augmentation.scale),
        angle_deg=_around(rng, augmentation.rotation_deg),
        shift=(_around(rng, augmentation.shift), _around(rng, augmentation.shift)),
        contrast=_factor(rng, augmentation.contrast),
        brightness=_around(rng, augmentation.brightness),
    )


def _around(rng: np.random.Generator, reach: float) -> float:
    return float(rng.uniform(-reach, reach))


def _factor(rng: np.random.Generator, reach: float) -> float:
    """A factor between 1 / reach and reach, as likely to enlarge as to reduce."""
    return math.exp(_around(rng, math.log(reach)))
