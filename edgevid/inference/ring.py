"""A ring buffer whose rows are always contiguous in memory, oldest first."""

from __future__ import annotations

import numpy as np

from edgevid.frames import Array
from edgevid.quant import Dtype


class Ring:
    """The last `length` rows as one contiguous block.

    The buffer has twice the length, and each row is written twice, `length` apart. The window that
    ends at the newest row is then always one slice. Writing costs two copies of a row, reading
    costs none.

    Args:
        length: Rows in the window, >= 1.
        row_shape: Shape of one row.
        dtype: Type of the rows.

    Attributes:
        count: Rows added since the last `clear`.
    """

    def __init__(self, length: int, row_shape: tuple[int, ...], dtype: Dtype) -> None:
        self.length = length
        self.count = 0
        rows = np.zeros((1, 2 * length, *row_shape), dtype)
        # Create every possible view once: slicing costs more than copying a small row.
        self._slots = [rows[0, place] for place in range(length)]
        self._twins = [rows[0, length + place] for place in range(length)]
        self._pairs = [rows[0, place::length] for place in range(length)]
        self._batches = [rows[:, place : place + length] for place in range(length)]

    @property
    def full(self) -> bool:
        """Whether the window is complete: at least `length` rows since the last `clear`."""
        return self.count >= self.length

    def clear(self) -> None:
        """Drop all rows."""
        # Old data stays in memory; `full` and `count` keep it from being read.
        self.count = 0

    def input_buffer(self) -> Array:
        """Return the buffer of the next row, to fill before `commit`.

        Returns:
            A view of shape `row_shape`; the ring owns it.
        """
        return self._slots[self.count % self.length]

    def commit(self) -> None:
        """Add the row in the input buffer."""
        if self.length > 1:  # a window of one row needs no second copy
            place = self.count % self.length
            self._twins[place][...] = self._slots[place]
        self.count += 1

    def pair(self) -> Array:
        """Return both copies of the next row, to fill in one assignment before `advance`.

        Cheaper than `input_buffer` and `commit` for a small row.

        Returns:
            A view of shape (2, *row_shape); the ring owns it.
        """
        return self._pairs[self.count % self.length]

    def advance(self) -> None:
        """Add the row that was written into `pair`."""
        self.count += 1

    def batch(self) -> Array:
        """Return the last `length` rows, oldest first, as a batch of one.

        Returns:
            A contiguous view of shape (1, length, *row_shape); the ring owns it. Its oldest row is
            also the next input buffer, so use the batch before that buffer is filled.
        """
        return self._batches[self.count % self.length]
