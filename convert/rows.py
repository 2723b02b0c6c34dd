"""Arrays that are too large for memory: rows that are made when they are asked for, and rows in a temporary file.

The windows of a hundred clips take gigabytes, and their float32 samples four times as much. Each
step of a conversion therefore holds a few windows at a time (`BATCH_BYTES` in float32).
"""

from __future__ import annotations

import math
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import IO, overload

import numpy as np
from numpy.typing import DTypeLike

from edgevid.frames import Array

# Windows that a step converts to float32 at once.
BATCH_BYTES = 32 * 2**20


class Rows:
    """A sequence of arrays of one shape and type. Nobody holds a row: each access makes it anew.

    Args:
        make: From a place to a row.
        places: The places of the rows, in order.
    """

    def __init__(self, make: Callable[[int], Array], places: Iterable[int]) -> None:
        self._make, self._places = make, tuple(int(place) for place in places)

    @classmethod
    def of(cls, rows: AnyRows | StoredArray) -> Rows:
        """Return the rows of an array, or rows themselves."""
        return rows if isinstance(rows, Rows) else cls(lambda place: rows[place], range(len(rows)))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows together. There is at least one row."""
        return (len(self), *self[0].shape)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | Array) -> Rows: ...
    def __getitem__(self, index: int | slice | Sequence[int] | Array) -> Array | Rows:
        """Make one row; of a slice or a list of indices, return those rows unmade."""
        if isinstance(index, slice):
            return Rows(self._make, self._places[index])
        if isinstance(index, (Sequence, np.ndarray)):
            return Rows(self._make, (self._places[each] for each in index))
        return self._make(self._places[index])

    def __iter__(self) -> Iterator[Array]:
        """Make one row after the other."""
        return map(self._make, self._places)

    def map(self, change: Callable[[Array], Array]) -> Rows:
        """Return rows that are changed when they are made."""
        return Rows(lambda place: change(self._make(place)), self._places)


def sliding(frames: Array, window: int) -> Rows:
    """Return every window of a stream: rows (window, *frame) of frames (N, *frame).

    Args:
        frames: At least one window of frames.
        window: Frames in a window.
    """
    return Rows(lambda start: frames[start : start + window], range(len(frames) - window + 1))


class Store:
    """A temporary file of arrays. It has no name: the system deletes it with the last array in it."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="edgevid-rows-")  # noqa: SIM115  # closed in the next line
        weakref.finalize(self, self._file.close)

    def add(self, rows: Iterable[Array]) -> StoredArray:
        """Append an array.

        Args:
            rows: Its rows, at least one, of one shape and type.
        """
        offset, count, row = self._file.tell(), 0, np.empty(0)
        for row in rows:
            # As bytes: not every type of a number has a buffer of its own.
            self._file.write(np.ascontiguousarray(row).reshape(-1).view(np.uint8).data)
            count += 1
        self._file.flush()
        return StoredArray(self, shape=(count, *row.shape), dtype=row.dtype, offset=offset)

    def read(self, offset: int, out: Array) -> None:
        """Read the bytes from an offset on into a contiguous array."""
        rest = out.reshape(-1).view(np.uint8).data
        # Without a file position, because threads share the file.
        while rest:
            count = os.preadv(self._file.fileno(), [rest], offset)
            if not count:
                raise EOFError(f"{len(rest)} bytes are missing in a temporary file")
            rest, offset = rest[count:], offset + count


class StoredArray:
    """An array in a store. Each access reads the rows that it names into a new array.

    It is read and not mapped: mapped pages stay in the process until the system needs them.

    Args:
        store: The file.
        shape: Shape of the array.
        dtype: Type of its numbers.
        offset: Bytes of the file before the array.
    """

    def __init__(self, store: Store, *, shape: tuple[int, ...], dtype: DTypeLike, offset: int) -> None:
        self._store, self._offset = store, offset
        self.shape, self.dtype = shape, np.dtype(dtype)

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        return len(self) * self._row_bytes

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        """Read one row after the other."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int | slice | Sequence[int] | Array) -> Array:
        """Read one row, a slice of rows or the rows of a list of indices."""
        every = range(len(self))
        if not isinstance(index, (slice, Sequence, np.ndarray)):
            return self[[index]][0]
        places = every[index] if isinstance(index, slice) else [every[each] for each in index]
        out = np.empty((len(places), *self.shape[1:]), self.dtype)
        for place, row in zip(places, out, strict=True):
            self._store.read(self._offset + place * self._row_bytes, row)
        return out


AnyRows = Rows | Array
