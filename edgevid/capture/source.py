"""The one interface that every source of frames has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, Self

from edgevid.errors import SourceError
from edgevid.frames import Frame


class Source(Protocol):
    """Gives frames in order, each with its sensor time.

    A source is a context manager; leaving it gives the camera or file back. `edgevid.capture.synthetic` needs no hardware and is the one
    to test with.

    Attributes:
        name: For people and logs; never holds a password.
        live: Whether frames come whether or not anyone takes them. Timestamps of a live source are on this machine's monotonic clock.
        reopens: Whether `reopen` can bring it back after a fault.
    """

    name: str
    live: bool
    reopens: bool

    def frames(self) -> Iterator[Frame]:
        """Give frames until the source ends.

        Yields:
            Frames whose buffers are valid until the next one is asked for; a live source's until `release`.

        Raises:
            SourceError: The source broke.
        """
        ...

    def release(self, frame: Frame) -> None:
        """Take a frame's buffer back. May be called from another thread than the one that asks for frames.

        Args:
            frame: One of the source's, not looked at any more.
        """
        ...

    def reopen(self) -> Self:
        """Open the same camera or stream once more, after this one was closed.

        Returns:
            A new source.

        Raises:
            SourceError: It cannot be opened now.
        """
        ...

    def close(self) -> None:
        """Give the camera or file back. May be called twice."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        ...


class ClosingSource:
    """What sources share: context management in terms of `close`, and answers for those that keep one buffer and open once."""

    name: str
    reopens = False

    def release(self, frame: Frame) -> None:
        """Hold nothing by default: the buffer is the source's own."""

    def reopen(self) -> Self:
        """Refuse by default.

        Raises:
            SourceError: Always.
        """
        raise SourceError(expected="a source that can be opened again", found=f"{self.name}")

    def close(self) -> None:
        """Hold nothing by default."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()
