"""A file or synthetic source played at its own pace, as if a camera saw it now."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from edgevid.capture.feeds.buffers import Buffers
from edgevid.capture.source import ClosingSource, Source
from edgevid.frames import Frame
from edgevid.units import NS_PER_S


class PacedSource(ClosingSource):
    """Plays the frames of another source at their own intervals, stamped with this machine's clock.

    Args:
        source: An open source that is not live; closed with this one.
    """

    live = True

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.decodes_video = getattr(source, "decodes_video", False)
        self._source = source
        self._buffers = Buffers()

    def frames(self) -> Iterator[Frame]:
        """Wait until each frame is due, then deliver it.

        Yields:
            Frames, each in its own buffer until it is released.
        """
        shift_ns: int | None = None
        for frame in self._source.frames():
            now_ns = time.monotonic_ns()
            if shift_ns is None:
                shift_ns = now_ns - frame.timestamp_ns
            due_ns = frame.timestamp_ns + shift_ns
            time.sleep(max(0, due_ns - now_ns) / NS_PER_S)
            if frame.color == "none":
                # The pool holds uint8 pictures; a feature row is small enough to copy.
                yield Frame(frame.data.copy(), frame.color, due_ns, frame.index)
                continue
            # Copied, because the source decodes its next frame into the same buffer.
            buffer = self._buffers.take(frame.data.shape)
            np.copyto(buffer, frame.data)
            yield Frame(buffer, frame.color, due_ns, frame.index)

    def release(self, frame: Frame) -> None:
        """Reuse the buffer of a frame.

        Args:
            frame: A frame of this source.
        """
        if frame.color != "none":
            self._buffers.give(frame.data)

    def close(self) -> None:
        """Close the other source."""
        self._source.close()
