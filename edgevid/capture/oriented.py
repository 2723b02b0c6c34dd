"""Turns and mirrors the pictures of any source, for a camera that is mounted sideways or upside down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Self, get_args

from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.capture.source import Source
from edgevid.errors import MissingDependency, UsageError
from edgevid.frames import Array, Frame
from edgevid.frames.imaging import turner

Rotation = Literal[0, 90, 180, 270]
Flip = Literal["none", "horizontal", "vertical", "both"]
ROTATIONS: tuple[Rotation, ...] = get_args(Rotation)
FLIPS: tuple[Flip, ...] = get_args(Flip)


@dataclass(frozen=True, kw_only=True, slots=True)
class Orientation:
    """A rotation and then a flip of upright pictures, as `--rotate` and `--flip` set them.

    Attributes:
        rotate: Degrees clockwise.
        flip: "horizontal" swaps left and right, "vertical" top and bottom.

    Raises:
        UsageError: A value is not legal.
    """

    rotate: Rotation = 0
    flip: Flip = "none"

    def __post_init__(self) -> None:
        if self.rotate not in ROTATIONS or isinstance(self.rotate, bool):
            raise UsageError(expected="a rotation in degrees", choices=tuple(map(str, ROTATIONS)), got=self.rotate)
        if self.flip not in FLIPS:
            raise UsageError(expected="a flip", choices=FLIPS, got=self.flip)

    @property
    def is_quarter(self) -> bool:
        """Whether width and height are swapped."""
        return self.rotate in (90, 270)

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether to flip (left and right, top and bottom), after a quarter turn clockwise if `is_quarter`."""
        # A half turn is both flips, and 270 degrees are a quarter turn and a half turn.
        is_half = self.rotate >= 180
        return is_half != (self.flip in ("horizontal", "both")), is_half != (self.flip in ("vertical", "both"))

    @property
    def is_upright(self) -> bool:
        """Whether pictures stay as they are."""
        return not self.is_quarter and not any(self.flips)


UPRIGHT = Orientation()


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
