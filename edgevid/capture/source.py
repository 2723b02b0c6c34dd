"""The one interface that every source of frames has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, Self

from edgevid.frame import Frame


class Source(Protocol):
    """Gives frames in order, each with its sensor time.

    A source is a context manager; leaving it gives the camera or file back. `edgevid.capture.synthetic` needs no hardware and is the one
    to test with.

    Attributes:
        name: For people and logs; never holds a password.
        live: Whether frames come whether or not anyone takes them.
    """

    name: str
    live: bool

    def frames(self) -> Iterator[Frame]:
        """Give frames until the source ends.

        Yields:
            Frames whose buffers are valid until the next one is asked for.

        Raises:
            SourceError: The source broke.
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
    """Context management for sources, in terms of `close`."""

    def close(self) -> None:
        """Hold nothing by default."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()
