"""A small pool of picture buffers, so that a live source allocates nothing per frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from edgevid.capture.source import ClosingSource
from edgevid.frames import Array, Frame


class Buffers:
    """A pool of free picture buffers. A frame borrows one with `take`; `give` returns it.

    `take` and `give` may run in different threads: both ends of a deque are safe to use
    concurrently.
    """

    def __init__(self) -> None:
        # At most three are in use: one being written, one waiting, one being looked at.
        self._free: deque[Array] = deque(maxlen=4)

    def take(self, shape: tuple[int, ...]) -> Array:
        """Borrow a buffer.

        Args:
            shape: (H, W, C) of the picture.

        Returns:
            A uint8 buffer of that shape with arbitrary content; a new one only if none of that
            shape is free.
        """
        while self._free:
            buffer = self._free.popleft()
            # Drop a buffer of another shape: the source has changed its picture size.
            if buffer.shape == shape:
                return buffer
        return np.empty(shape, np.uint8)

    def give(self, buffer: Array) -> None:
        """Return a buffer to the pool.

        Args:
            buffer: A buffer of `take`; the caller no longer uses it.
        """
        self._free.append(buffer)


class BufferedSource(ClosingSource):
    """A source whose frames each borrow a buffer until they are released.

    Attributes:
        wanted: Predicate over a frame's time in nanoseconds: whether anybody will look at that
            frame. The reader sets it; the source calls it in the reader's thread. An unwanted frame
            counts in the index of the next one, but is neither decoded nor copied.
    """

    def __init__(self) -> None:
        self._buffers = Buffers()
        self.wanted: Callable[[int], bool] = _want_every_frame

    def release(self, frame: Frame) -> None:
        """Reuse the buffer of a frame.

        Args:
            frame: A frame of this source.
        """
        self._buffers.give(frame.data)


def _want_every_frame(_timestamp_ns: int) -> bool:
    return True
