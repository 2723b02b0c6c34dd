"""How long things took: the last samples of several quantities, in memory that is set aside before the run.

The loop writes one row a frame and nothing else. After the interpreter has run, everything else is gone from the processor's caches, and what
costs time is each piece of memory that is touched: nine histograms of their own took 5 us a frame, a row of nine takes one.
One thread writes; any number of them read.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

import numpy as np

from edgevid.frames import Array

KEPT = 4096
NONE = -1
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Latency:
    """Summary of a histogram, in milliseconds; over the last `KEPT` rows, but for count and max, which are over all."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Ledger:
    """The last rows of numbers, in nanoseconds.

    Args:
        columns: Quantities in a row.
        kept: Rows held; older ones are overwritten.

    Attributes:
        rows: Rows written so far.
        kept: See above.
    """

    def __init__(self, columns: int, kept: int = KEPT) -> None:
        self.rows = 0
        self.kept = kept
        self._columns = columns
        self._bytes = bytearray(8 * columns * kept)
        self._pack = Struct(f"{columns}q").pack_into
        self._width = 8 * columns
        self._held = np.frombuffer(self._bytes, np.int64).reshape(kept, columns)
        # (rows that are in it, count of each column, maximum of each): what is about to be overwritten, replaced as one.
        self._past = (0, np.zeros(columns, np.int64), np.zeros(columns, np.int64))

    def note(self, *row_ns: int) -> None:
        """Write a row.

        Args:
            row_ns: A number for each column; `NONE` where there is none.

        Cost: nothing is kept; once in `kept` rows they are counted.
        """
        place = self.rows % self.kept
        if not place and self.rows:
            self._past = (self.rows, *self._totals())
        self._pack(self._bytes, place * self._width, *row_ns)
        self.rows += 1

    def note_one(self, column: int, ns: int) -> None:
        """Write a row with one number.

        Args:
            column: Its place.
            ns: It.
        """
        row_ns = [NONE] * self._columns
        row_ns[column] = ns
        self.note(*row_ns)

    def count(self, column: int) -> int:
        """Count the numbers in a column, those too that were overwritten.

        Args:
            column: Its place.

        Returns:
            How many there were.
        """
        return int(self._totals()[0][column])

    def max_ns(self, column: int) -> int:
        """Give the greatest number in a column, of those too that were overwritten.

        Args:
            column: Its place.

        Returns:
            It; 0 where there was none.
        """
        return int(self._totals()[1][column])

    def newest(self, column: int, rows: int) -> Array:
        """Give the numbers in the last rows of a column.

        Args:
            column: Its place.
            rows: How many rows, of those that are held.

        Returns:
            int64 in their order, a copy, without those that are `NONE`.
        """
        end = self.rows
        values = self._held[np.arange(end - min(rows, end, self.kept), end) % self.kept, column]
        return values[values != NONE]

    def _totals(self) -> tuple[Array, Array]:
        """Count and maximum of each column."""
        past, counts, maxima = self._past
        newest = self._held[: min(self.rows - past, self.kept)]
        return counts + (newest != NONE).sum(axis=0), np.maximum(maxima, newest.max(axis=0, initial=0))


class LatencySamples:
    """One quantity: a column of a ledger.

    Args:
        ledger: Where it stands; one of its own where None.
        column: Its place there.
    """

    def __init__(self, ledger: Ledger | None = None, column: int = 0) -> None:
        self._ledger = ledger or Ledger(1)
        self._column = column

    def record(self, ns: int) -> None:
        """Add a sample by itself; the loop writes whole rows.

        Args:
            ns: Nanoseconds.
        """
        self._ledger.note_one(self._column, ns)

    @property
    def count(self) -> int:
        """Samples so far."""
        return self._ledger.count(self._column)

    @property
    def max_ns(self) -> int:
        """The greatest so far; 0 where there is none."""
        return self._ledger.max_ns(self._column)

    @property
    def rows(self) -> int:
        """Rows written so far, with a sample or without."""
        return self._ledger.rows

    @property
    def samples_ns(self) -> Array:
        """The samples held, int64, in their order; a copy."""
        return self.newest(self._ledger.kept)

    def newest(self, rows: int) -> Array:
        """Give the samples of the last rows.

        Args:
            rows: How many.

        Returns:
            int64, in their order; a copy.
        """
        return self._ledger.newest(self._column, rows)

    def latency(self) -> Latency:
        """Summarise.

        Returns:
            Percentiles; zeros where nothing was recorded.
        """
        samples_ns = self.samples_ns
        if not len(samples_ns):
            return Latency(0, 0.0, 0.0, 0.0, 0.0)
        p50, p95, p99 = (float(value) / _NS_PER_MS for value in np.percentile(samples_ns, [50, 95, 99]))
        return Latency(self.count, p50, p95, p99, self.max_ns / _NS_PER_MS)
