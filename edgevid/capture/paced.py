"""A recording shown at its own pace, as if a camera saw it now."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from edgevid.capture.buffers import Buffers
from edgevid.capture.source import ClosingSource, Source
from edgevid.frames import Frame


class Paced(ClosingSource):
    """Another source's frames, each at its time after the first one, stamped with this machine's clock.

    Args:
        source: Open and not live; closed with this one.
    """

    live = True

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._buffers = Buffers()

    def frames(self) -> Iterator[Frame]:
        """Wait for each frame's time and give it.

        Yields:
            Frames in buffers of their own.
        """
        shift_ns: int | None = None
        for frame in self._source.frames():
            now_ns = time.monotonic_ns()
            if shift_ns is None:
                shift_ns = now_ns - frame.timestamp_ns
            due_ns = frame.timestamp_ns + shift_ns
            time.sleep(max(0, due_ns - now_ns) / 1e9)
            if frame.color == "none":
                yield Frame(frame.data.copy(), frame.color, due_ns, frame.index)
                continue
            buffer = self._buffers.take(frame.data.shape)
            np.copyto(buffer, frame.data)
            yield Frame(buffer, frame.color, due_ns, frame.index)

    def release(self, frame: Frame) -> None:
        """Use the frame's buffer again.

        Args:
            frame: One of these.
        """
        if frame.color != "none":
            self._buffers.give(frame.data)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
