"""A ring buffer whose last rows always lie in memory as one block, oldest first."""

from __future__ import annotations

import numpy as np

from edgevid.frames import Array
from edgevid.quant import Dtype


class Ring:
    """The last `length` rows, contiguous without ever being shifted.

    Each row is written twice, `length` apart, in a buffer of twice the length; the window that ends at the newest row is then always one
    slice of it. Writing costs two rows, reading nothing.

    Args:
        length: Rows kept, >= 1.
        row_shape: Shape of one row.
        dtype: Its type.
    """

    def __init__(self, length: int, row_shape: tuple[int, ...], dtype: Dtype) -> None:
        self.length = length
        self.count = 0
        rows = np.zeros((1, 2 * length, *row_shape), dtype)
        # Every view there can be, made once: a slice costs more than the copy of a small row.
        self._slots = [rows[0, place] for place in range(length)]
        self._twins = [rows[0, length + place] for place in range(length)]
        self._pairs = [rows[0, place::length] for place in range(length)]
        self._batches = [rows[:, place : place + length] for place in range(length)]
        self._windows = [batch[0] for batch in self._batches]

    @property
    def full(self) -> bool:
        """Whether `length` rows have been pushed since the last `clear`."""
        return self.count >= self.length

    def clear(self) -> None:
        """Forget every row."""
        self.count = 0

    def input_buffer(self) -> Array:
        """Give the place of the next row.

        Returns:
            A view to fill before `commit`; the ring owns it.
        """
        return self._slots[self.count % self.length]

    def commit(self) -> None:
        """Take the row that was written into the input buffer."""
        if self.length > 1:  # one row is its own window
            place = self.count % self.length
            self._twins[place][...] = self._slots[place]
        self.count += 1

    def both(self) -> Array:
        """Give the two places of the next row at once, for a row that is small enough to be written twice in one go.

        Returns:
            A view of shape (2, *row_shape) to fill with the row before `advance`; the ring owns it.
        """
        return self._pairs[self.count % self.length]

    def advance(self) -> None:
        """Take the row that was written into `both`."""
        self.count += 1

    def window(self) -> Array:
        """Give the last `length` rows, oldest first.

        Returns:
            A contiguous view of shape (length, *row_shape); the ring owns it. Its oldest row is the next input buffer: use it before that is filled.
        """
        return self._windows[self.count % self.length]

    def batch(self) -> Array:
        """Give the window as a batch of one.

        Returns:
            The same memory, of shape (1, length, *row_shape).
        """
        return self._batches[self.count % self.length]
