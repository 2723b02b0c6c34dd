"""Latency samples: the latest values of several quantities, in preallocated memory.

The loop writes one row per frame. One thread writes; any number of threads read.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

import numpy as np

from edgevid.frames import Array
from edgevid.units import NS_PER_MS

CAPACITY = 4096
NONE = -1
_BYTES_PER_NUMBER = 8


@dataclass(frozen=True, slots=True)
class Latency:
    """Summary of a quantity in milliseconds. Percentiles cover the stored rows, count and maximum the whole run."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Ledger:
    """A ring of rows of numbers, in nanoseconds.

    Args:
        columns: Numbers in a row.
        capacity: Rows in the ring; a new row overwrites the oldest.

    Attributes:
        rows: Rows written so far.
        capacity: Rows in the ring.
    """

    # One row per frame, not a histogram per quantity: after the interpreter has run, the
    # processor's caches are cold, and each piece of memory touched costs time. (Nine histograms
    # took 5 us a frame, a row 1 us.)
    def __init__(self, columns: int, capacity: int = CAPACITY) -> None:
        self.rows = 0
        self.capacity = capacity
        self._columns = columns
        self._row_bytes = _BYTES_PER_NUMBER * columns
        self._bytes = bytearray(self._row_bytes * capacity)
        self._pack = Struct(f"{columns}q").pack_into
        self._ring = np.frombuffer(self._bytes, np.int64).reshape(capacity, columns)
        # Totals of the rows that were overwritten: (number of rows, count and maximum of each
        # column). One tuple, replaced at once, so that a reader in another thread never sees half
        # of an update.
        self._overwritten = (0, np.zeros(columns, np.int64), np.zeros(columns, np.int64))

    def note(self, *row_ns: int) -> None:
        """Write a row.

        Args:
            row_ns: One number per column; `NONE` for a missing one.

        Cost: no allocation; once in `capacity` rows it adds up the totals.
        """
        place = self.rows % self.capacity
        if not place and self.rows:
            self._overwritten = (self.rows, *self._totals())
        # struct, not numpy: it writes a row of ints without a temporary array.
        self._pack(self._bytes, place * self._row_bytes, *row_ns)
        self.rows += 1

    def note_one(self, column: int, ns: int) -> None:
        """Write a row that has a number in one column only."""
        row_ns = [NONE] * self._columns
        row_ns[column] = ns
        self.note(*row_ns)

    def count(self, column: int) -> int:
        """Return the number of samples in a column, over the whole run."""
        return int(self._totals()[0][column])

    def max_ns(self, column: int) -> int:
        """Return the largest sample in a column, over the whole run; 0 without samples."""
        return int(self._totals()[1][column])

    def newest(self, column: int, rows: int) -> Array:
        """Return the samples of a column in the last rows.

        Args:
            column: Index of the column.
            rows: Number of rows to look at; at most `capacity` are there.

        Returns:
            int64, oldest first, without `NONE`; a copy.
        """
        values = self.newest_rows(rows)[:, column]
        return values[values != NONE]

    def newest_rows(self, rows: int) -> Array:
        """Return the last rows.

        Args:
            rows: Number of rows; at most `capacity` are there.

        Returns:
            (rows, columns) int64, oldest first, with `NONE` for missing numbers; a copy.
        """
        end = self.rows
        return self._ring[np.arange(end - min(rows, end, self.capacity), end) % self.capacity]

    def _totals(self) -> tuple[Array, Array]:
        """Return the count and maximum of each column, over the whole run."""
        rows, counts, maxima = self._overwritten
        # The rows since the last wrap-around are at the start of the ring.
        newest = self._ring[: min(self.rows - rows, self.capacity)]
        return counts + (newest != NONE).sum(axis=0), np.maximum(maxima, newest.max(axis=0, initial=0))


class LatencySamples:
    """The samples of one quantity: a column of a ledger.

    Args:
        ledger: The ledger; None for a new one with a single column.
        column: Index of the column.
    """

    def __init__(self, ledger: Ledger | None = None, column: int = 0) -> None:
        self._ledger = ledger or Ledger(1)
        self._column = column

    def record(self, ns: int) -> None:
        """Add one sample, in nanoseconds. The loop writes whole rows instead."""
        self._ledger.note_one(self._column, ns)

    @property
    def count(self) -> int:
        """Samples over the whole run."""
        return self._ledger.count(self._column)

    @property
    def max_ns(self) -> int:
        """Largest sample over the whole run; 0 without samples."""
        return self._ledger.max_ns(self._column)

    @property
    def rows(self) -> int:
        """Rows written so far, with a sample or without."""
        return self._ledger.rows

    @property
    def samples_ns(self) -> Array:
        """Stored samples, int64, oldest first; a copy."""
        return self.newest(self._ledger.capacity)

    def newest(self, rows: int) -> Array:
        """Return the samples in the last rows of the ledger: int64, oldest first; a copy."""
        return self._ledger.newest(self._column, rows)

    def latency(self) -> Latency:
        """Return percentiles, count and maximum; all zero without samples."""
        samples_ns = self.samples_ns
        if not len(samples_ns):
            return Latency(0, 0.0, 0.0, 0.0, 0.0)
        p50, p95, p99 = (float(value) / NS_PER_MS for value in np.percentile(samples_ns, [50, 95, 99]))
        return Latency(self.count, p50, p95, p99, self.max_ns / NS_PER_MS)
