"""Turns and mirrors the pictures of any source, for a camera that is mounted sideways or upside down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.capture.source import Source
from edgevid.errors import MissingDependency, UsageError
from edgevid.frames import Array, Frame
from edgevid.frames.imaging import turner
from edgevid.frames.orientation import Orientation


class OrientedSource(BufferedSource):
    """A source with turned pictures, each in a buffer of its own until it is released.

    Args:
        source: An open source of pictures; closed with this one.
        orientation: The rotation and flip.

    Raises:
        MissingDependency: OpenCV is not installed.
    """

    def __init__(self, source: Source, orientation: Orientation) -> None:
        self._source, self._orientation = source, orientation
        self.name, self.live, self.reopens = source.name, source.live, getattr(source, "reopens", False)
        self.decodes_video = getattr(source, "decodes_video", False)
        self._turn = turner(is_quarter=orientation.is_quarter, flips=orientation.flips)
        # Last: it sets `wanted`.
        super().__init__()

    @property
    def wanted(self) -> Callable[[int], bool]:
        """The predicate of the other source, which decodes only the frames that it selects."""
        return self._wanted

    @wanted.setter
    def wanted(self, predicate: Callable[[int], bool]) -> None:
        self._wanted = predicate
        if isinstance(self._source, BufferedSource):
            self._source.wanted = predicate

    def frames(self) -> Iterator[Frame]:
        """Turn each frame of the other source.

        Yields:
            Frames with the time and the index of the original.

        Raises:
            UsageError: The frames are feature vectors.
        """
        buffer: Array | None = None
        for frame in self._source.frames():
            if frame.color == "none":
                raise UsageError(expected="pictures to rotate or flip", found=f"feature vectors from {self.name}")
            height, width, channels = frame.data.shape
            shape = (width, height, channels) if self._orientation.is_quarter else frame.data.shape
            # Frames of a file share one buffer, as they would without the turn.
            if self.live or buffer is None or buffer.shape != shape:
                buffer = self._buffers.take(shape)
            self._turn(frame.data, buffer)
            self._source.release(frame)
            yield Frame(buffer, frame.color, frame.timestamp_ns, frame.index)

    def release(self, frame: Frame) -> None:
        """Reuse the buffer of a frame of a live source.

        Args:
            frame: A frame of this source.
        """
        if self.live:
            super().release(frame)

    def reopen(self) -> Self:
        """Open the other source again.

        Returns:
            A new source of the same orientation.

        Raises:
            SourceError: The other source cannot be opened.
        """
        return type(self)(self._source.reopen(), self._orientation)

    def close(self) -> None:
        """Close the other source."""
        self._source.close()


def oriented(source: Source, orientation: Orientation) -> Source:
    """Return the source itself if its pictures stay as they are, else one that turns them.

    Raises:
        MissingDependency: OpenCV is not installed. The source is closed.
    """
    if orientation.is_upright:
        return source
    try:
        return OrientedSource(source, orientation)
    except MissingDependency:
        source.close()
        raise
