"""Random variations of the clips in training.

A variation is drawn once for a whole window. Frames that varied one by one would show motion
that is not in the clip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgevid.errors import UsageError
from edgevid.frames import Pixels
from edgevid.frames.imaging import opencv

_LEVELS, _WHITE, _MID_GREY = 256, 255, 127.5


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The limits of the variation of a clip.

    Attributes:
        shift: Largest translation, as a fraction of the frame's size.
        scale: Largest zoom factor, at least 1. Zooming in crops; its inverse limits zooming out.
        rotation_deg: Largest rotation in either direction.
        brightness: Largest change of a pixel, as a fraction of full white.
        contrast: Largest factor on the distance from mid-grey, at least 1; its inverse is the
            smallest.
        speed: Largest factor on the sampling interval, at least 1; its inverse is the smallest.
        flip: Maps a class to the class that its mirror image shows. A class without an entry is
            never mirrored.
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
    """The variation of one window of a clip.

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
            frames: (T, H, W, C) uint8; not modified.

        Returns:
            A new array of the same shape and dtype. Where the shift leaves a gap, the edge of the
            picture is repeated.
        """
        cv2 = opencv("varying clips for training")
        height, width = frames.shape[1:3]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.angle_deg, self.zoom)
        matrix[:, 2] += self.shift[0] * width, self.shift[1] * height
        tones = self._tone_table()
        varied = np.empty_like(frames)
        for frame, out in zip(frames[:, :, ::-1] if self.mirrored else frames, varied, strict=True):
            moved = cv2.warpAffine(
                # OpenCV rejects the negative strides of a mirrored view.
                np.ascontiguousarray(frame),
                matrix,
                (width, height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            # OpenCV drops the axis of a single channel.
            out[...] = tones[moved.reshape(out.shape)]
        return varied

    def _tone_table(self) -> Pixels:
        levels = np.arange(_LEVELS, dtype=np.float32)
        tones = (levels - _MID_GREY) * self.contrast + _MID_GREY + _WHITE * self.brightness
        return np.clip(np.rint(tones), 0, _WHITE).astype(np.uint8)


def parse_flip(text: str, labels: Sequence[str]) -> dict[str, str]:
    """Parse the classes that may be mirrored.

    Args:
        text: "none", "all", or classes separated by commas. `left=right` means that the mirror
            image of each shows the other.
        labels: All classes.

    Returns:
        A map from a class to the class that its mirror image shows.

    Raises:
        UsageError: The text names an unknown class.
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
            expected=f"classes to mirror, of {', '.join(labels)}", got=unknown, found=", ".join(map(repr, unknown))
        )
    return flip


def draw(augmentation: Augmentation, rng: np.random.Generator, *, label: str) -> Variation:
    """Draw a random variation.

    Args:
        augmentation: The limits.
        rng: The random generator.
        label: Class of the clip, which decides whether it may be mirrored.

    Returns:
        A variation for one window.
    """
    return Variation(
        speed=_factor(rng, augmentation.speed),
        mirrored=label in augmentation.flip and bool(rng.random() < 0.5),
        zoom=_factor(rng, augmentation.scale),
        angle_deg=_around_zero(rng, augmentation.rotation_deg),
        shift=(_around_zero(rng, augmentation.shift), _around_zero(rng, augmentation.shift)),
        contrast=_factor(rng, augmentation.contrast),
        brightness=_around_zero(rng, augmentation.brightness),
    )


def _around_zero(rng: np.random.Generator, limit: float) -> float:
    return float(rng.uniform(-limit, limit))


def _factor(rng: np.random.Generator, limit: float) -> float:
    # Uniform in the logarithm, so that enlarging is as likely as reducing.
    return math.exp(_around_zero(rng, math.log(limit)))
