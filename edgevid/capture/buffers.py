"""Picture buffers that take turns, so that a live source allocates nothing per frame and never writes into a picture that is being looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from edgevid.capture.source import ClosingSource
from edgevid.frames import Array, Frame


class Buffers:
    """Free picture buffers. A frame borrows one and `give` brings it back; three are in use at most: being written, waiting, being looked at.

    Taking and giving may happen in different threads: a deque's ends are safe to use from several.
    """

    def __init__(self) -> None:
        self._free: deque[Array] = deque(maxlen=4)

    def take(self, shape: tuple[int, ...]) -> Array:
        """Borrow a buffer.

        Args:
            shape: (H, W, C) of the picture.

        Returns:
            uint8 of that shape with anything in it; a new one only where none of that shape is free.
        """
        while self._free:
            buffer = self._free.popleft()
            if buffer.shape == shape:
                return buffer
        return np.empty(shape, np.uint8)

    def give(self, buffer: Array) -> None:
        """Bring a buffer back.

        Args:
            buffer: From `take`, not to be used any more.
        """
        self._free.append(buffer)


class BufferedSource(ClosingSource):
    """A source whose frames borrow a buffer each until they are released.

    Attributes:
        wanted: Says of the time of a frame whether anybody will look at it; set by whoever reads the source, and called in the thread that does.
            A frame that nobody wants is counted in the index of the next and is else left alone: neither decoded nor copied.
    """

    def __init__(self) -> None:
        self._buffers = Buffers()
        self.wanted: Callable[[int], bool] = _everything

    def release(self, frame: Frame) -> None:
        """Use the frame's buffer again.

        Args:
            frame: One of these.
        """
        self._buffers.give(frame.data)


def _everything(_timestamp_ns: int) -> bool:
    return True
