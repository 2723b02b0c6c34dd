"""The tensors of a run by number: a few in memory, and the rest in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import numpy as np

from convert.rows import Store, StoredArray
from edgevid.frames import Array

# Tensors beyond this move to a file: those of one window of a 3D network take hundreds of megabytes.
MOST_HELD_BYTES = 64 * 2**20
# A graph has thousands of smaller ones, which take longer to read than to hold.
_SMALL_BYTES = 4096


class HeldTensors(MutableMapping[int, Array]):
    """Arrays by number. One that is in the file is read anew at each access.

    Args:
        most_bytes: Sum of the larger arrays that stay in memory; None for `MOST_HELD_BYTES`.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self._free_bytes = MOST_HELD_BYTES if most_bytes is None else most_bytes
        self._arrays: dict[int, Array | StoredArray] = {}
        self._store: Store | None = None

    def __setitem__(self, number: int, array: Array) -> None:
        """Hold an array, or write it to the file."""
        if array.nbytes <= _SMALL_BYTES:
            self._arrays[number] = array
        elif array.nbytes <= self._free_bytes:
            self._free_bytes -= array.nbytes
            self._arrays[number] = array
        else:
            self._store = self._store or Store()
            # One row for the whole array: its first axis may have any length.
            self._arrays[number] = self._store.add(array[None])

    def __getitem__(self, number: int) -> Array:
        """Return an array; the caller must not write to it."""
        array = self._arrays[number]
        return array[0] if isinstance(array, StoredArray) else array

    def __delitem__(self, number: int) -> None:
        """Forget an array. The file keeps its bytes."""
        array = self._arrays.pop(number)
        if isinstance(array, np.ndarray) and array.nbytes > _SMALL_BYTES:
            self._free_bytes += array.nbytes

    def __iter__(self) -> Iterator[int]:
        """Iterate over the numbers."""
        return iter(self._arrays)

    def __len__(self) -> int:
        """Return how many arrays there are."""
        return len(self._arrays)
