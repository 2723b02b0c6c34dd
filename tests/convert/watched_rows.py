"""Rows that count how many of them somebody holds."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np

from convert.rows import Rows


class HeldArrays:
    """Counts arrays that are still held, by themselves or by a view.

    Attributes:
        made: Number of arrays seen.
        most_held: Largest number of them that were held at once.
    """

    def __init__(self) -> None:
        self._arrays: list[weakref.ref[np.ndarray]] = []
        self.made = self.most_held = 0

    def see(self, array: np.ndarray) -> np.ndarray:
        """Count an array from now on, and return it."""
        self._arrays = [each for each in self._arrays if each() is not None]
        self._arrays.append(weakref.ref(array))
        self.made, self.most_held = self.made + 1, max(self.most_held, len(self._arrays))
        return array


class WatchedRows(HeldArrays):
    """Rows that count those which are held.

    Args:
        make: From a place to a row.
        count: Number of rows.
    """

    def __init__(self, make: Callable[[int], np.ndarray], count: int) -> None:
        super().__init__()
        self.rows = Rows(lambda place: self.see(make(place)), range(count))
