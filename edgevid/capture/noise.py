"""Frames of random numbers, to measure the loop without a decoder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgevid.bundle.manifest import Manifest
from edgevid.capture.source import ClosingSource
from edgevid.frames import Color, Frame
from edgevid.units import NS_PER_S

# Successive frames have to differ; more of them would only take memory.
_DISTINCT_FRAMES = 8


class NoiseSource(ClosingSource):
    """A few distinct frames in a cycle, one for each interval of the model's window.

    Args:
        manifest: Manifest of the model; defines the kind of frame and the time between two.
        count: Number of frames.
        size: (width, height) in pixels; the model's where None.
        color: Channel order of the frames; the model's where None.
        seed: Seed of the random numbers.
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
            self._frames = rng.standard_normal((_DISTINCT_FRAMES, *spec.shape), np.float32)
        else:
            width, height = size or (spec.width, spec.height)
            channels = 1 if self._color == "gray" else 3
            self._frames = rng.integers(0, 256, (_DISTINCT_FRAMES, height, width, channels), np.uint8)

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames.

        Yields:
            Frames that share one buffer.
        """
        buffer = np.zeros_like(self._frames[0])
        for index in range(self._count):
            # Copied, so that the frame is in the processor's cache, as one that was just decoded.
            np.copyto(buffer, self._frames[index % _DISTINCT_FRAMES])
            yield Frame(buffer, self._color, round(index * self._interval_s * NS_PER_S), index)
