"""The interface of every source of frames, and a base class for sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, Self

from edgevid.errors import SourceError
from edgevid.frames import Frame


class Source(Protocol):
    """A source delivers frames in order, each with the time at which its sensor took it.

    A source is a context manager and releases its camera or file on exit.
    `edgevid.capture.synthetic` needs no hardware; use it for tests.

    Attributes:
        name: For people and logs; never contains a password.
        live: Whether frames come at their own pace, ready or not. A live source stamps them with
            this machine's monotonic clock.
        reopens: Whether `reopen` can recover the source after a fault.
    """

    name: str
    live: bool
    reopens: bool

    def frames(self) -> Iterator[Frame]:
        """Deliver frames until the source ends.

        Yields:
            Frames. A buffer is valid until the next frame is requested; that of a live source,
            until `release`.

        Raises:
            SourceError: The source failed.
        """
        ...

    def release(self, frame: Frame) -> None:
        """Reuse the buffer of a frame. May be called from another thread than `frames`.

        Args:
            frame: A frame of this source that is no longer in use.
        """
        ...

    def reopen(self) -> Self:
        """Open the same camera or stream again, after this source was closed.

        Returns:
            A new source.

        Raises:
            SourceError: The camera or stream cannot be opened now.
        """
        ...

    def close(self) -> None:
        """Release the camera or file. May be called twice."""
        ...

    def __enter__(self) -> Self:
        """Return the source itself."""
        ...

    def __exit__(self, *exc_info: object) -> None:
        """Close the source."""
        ...


class ClosingSource:
    """Base of sources: a context manager over `close`, for a source with one buffer that opens once.

    Attributes:
        decodes_video: Whether OpenCV's FFmpeg decodes the frames: their colors depend on its release.
    """

    name: str
    reopens = False
    decodes_video = False

    def release(self, frame: Frame) -> None:
        """Do nothing by default: the source overwrites its own buffer."""

    def reopen(self) -> Self:
        """Reject by default.

        Raises:
            SourceError: Always.
        """
        raise SourceError(expected="a source that can be opened again", found=self.name)

    def close(self) -> None:
        """Do nothing by default: there is nothing to release."""

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the source."""
        self.close()
