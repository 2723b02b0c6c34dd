"""A stream of rendered gestures with known truth. It needs neither a camera nor OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from edgevid.capture.feeds.buffers import Buffers
from edgevid.capture.source import ClosingSource
from edgevid.errors import UsageError
from edgevid.frames import Frame
from edgevid.synthetic.gestures import Gesture, plan_stream
from edgevid.synthetic.scene import Renderer, draw_scene
from edgevid.units import NS_PER_S


class GestureSource(ClosingSource):
    """One person who makes gestures with pauses between them, RGB.

    The same seed draws the same person, gestures and truth at every frame size and rate.

    Args:
        seed: Seed of person, room and gestures, at least 0.
        height_px: Rows of a frame, above 0.
        width_px: Columns of a frame, above 0.
        fps: Frames per second, above 0.
        duration_s: Length of the stream in its own time, above 0.
        realtime: Whether frames come at their times on this machine's monotonic clock, as from a
            camera. Otherwise they come as fast as they are read, and time begins at 0.

    Raises:
        UsageError: A size, rate or duration is not above 0.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        height_px: int = 64,
        width_px: int = 64,
        fps: float = 20.0,
        duration_s: float = 60.0,
        realtime: bool = False,
    ) -> None:
        if min(height_px, width_px, fps, duration_s) <= 0:
            raise UsageError(
                expected="a size, rate and duration above 0",
                found=f"{width_px}x{height_px} px, {fps} Hz, {duration_s} s",
            )
        self.name = f"synthetic:{seed}"
        self.live = realtime
        self.fps = fps
        self._count = round(duration_s * fps)
        self._buffers = Buffers()
        # One generator for scene and track, in this order: the seed then fixes both.
        rng = np.random.default_rng(seed)
        self.scene = draw_scene(rng)
        self._track = plan_stream(rng, duration_s, arm_rad=self.scene.arm_rad)
        self._size_px = (height_px, width_px)

    @property
    def truth(self) -> tuple[Gesture, ...]:
        """The gestures of the stream in order, in seconds after the first frame."""
        return self._track.truth

    def frames(self) -> Iterator[Frame]:
        """Draw the stream from its start.

        Yields:
            Frames (H, W, 3) uint8 RGB. They share one buffer; with `realtime`, each has its own
            until it is released.
        """
        height_px, width_px = self._size_px
        renderer = Renderer(self.scene, height_px=height_px, width_px=width_px)
        shape = (height_px, width_px, 3)
        buffer = np.zeros(shape, np.uint8)
        start_ns = time.monotonic_ns() if self.live else 0
        for index in range(self._count):
            due_ns = start_ns + round(index / self.fps * NS_PER_S)
            if self.live:
                time.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)
                buffer = self._buffers.take(shape)
            renderer.draw(self._track.at(index / self.fps), index / self.fps, buffer)
            yield Frame(buffer, "rgb", due_ns, index)

    def release(self, frame: Frame) -> None:
        """Reuse the buffer of a frame.

        Args:
            frame: A frame of this source.
        """
        if self.live:
            self._buffers.give(frame.data)
