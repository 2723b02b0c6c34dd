"""Frames of random numbers: for measuring the loop without a decoder.

Each frame is copied into one buffer before it is given, so that it lies in the processor's cache as a frame does that was just decoded.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgevid.bundle.manifest import Manifest
from edgevid.capture.source import ClosingSource
from edgevid.frames import Color, Frame

_DIFFERENT = 8


class NoiseSource(ClosingSource):
    """A few different frames over and over, each due to be taken.

    Args:
        manifest: The model's; gives the kind of frame, and the time between two.
        count: Frames in all.
        size: (width, height) in pixels; the model's own where None.
        color: Channel order of the frames; the model's own where None.
        seed: Draws the numbers.
    """

    live = False
    name = "noise"

    def __init__(
        self,
        manifest: Manifest,
        *,
        count: int,
        size: tuple[int, int] | None = None,
        color: Color | None = None,
        seed: int = 0,
    ) -> None:
        spec = manifest.input
        rng = np.random.default_rng(seed)
        self._color: Color = color or spec.color
        self._count = count
        self._interval_s = manifest.window.interval_s
        if spec.kind == "features":
            self._frames = rng.standard_normal((_DIFFERENT, *spec.shape), np.float32)
        else:
            width, height = size or (spec.width, spec.height)
            self._frames = rng.integers(
                0, 256, (_DIFFERENT, height, width, 1 if self._color == "gray" else 3), np.uint8
            )

    def frames(self) -> Iterator[Frame]:
        """Give the frames.

        Yields:
            Frames that share one buffer.
        """
        buffer = np.zeros_like(self._frames[0])
        for index in range(self._count):
            np.copyto(buffer, self._frames[index % _DIFFERENT])
            yield Frame(buffer, self._color, round(index * self._interval_s * 1e9), index)
