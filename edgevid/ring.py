"""A ring buffer whose last rows always lie in memory as one block, oldest first."""

from __future__ import annotations

import numpy as np

from edgevid.frame import Array
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
        self._rows = np.zeros((2 * length, *row_shape), dtype)

    @property
    def full(self) -> bool:
        """Whether `length` rows have been pushed since the last `clear`."""
        return self.count >= self.length

    def clear(self) -> None:
        """Forget every row."""
        self.count = 0

    def slot(self) -> Array:
        """Give the place of the next row.

        Returns:
            A view to fill before `commit`; the ring owns it.
        """
        return self._rows[self.count % self.length]

    def commit(self) -> None:
        """Take the row that was written into `slot`."""
        place = self.count % self.length
        if self.length > 1:  # one row is its own window
            self._rows[place + self.length] = self._rows[place]
        self.count += 1

    def window(self) -> Array:
        """Give the last `length` rows, oldest first.

        Returns:
            A contiguous view of shape (length, *row_shape); the ring owns it. Its oldest row is the next `slot`: use it before that is filled.
        """
        start = self.count % self.length
        return self._rows[start : start + self.length]
