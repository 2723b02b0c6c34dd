"""Latency histograms that only ever grow, as Prometheus wants them, out of the last samples that telemetry keeps.

The loop records a number and nothing else. Whoever exports comes by every second and sorts the new samples into buckets; at the rates of
cameras far fewer come in a second than are kept.
"""

from __future__ import annotations

import numpy as np

from edgevid.telemetry.latency import CAPACITY, LatencySamples

BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_NS_PER_S = 1e9
_BOUNDS_NS = np.array(BOUNDS_S) * _NS_PER_S


class Histogram:
    """Counts of one quantity.

    Args:
        histogram: Where the loop records it.

    Attributes:
        sum_s: All samples together, in seconds.
        missed: Rows that were overwritten before they were counted.
    """

    def __init__(self, histogram: LatencySamples) -> None:
        self.sum_s = 0.0
        self.missed = 0
        self._histogram = histogram
        self._counted = 0
        self._counts = np.zeros(len(BOUNDS_S) + 1, np.int64)

    def fold(self) -> None:
        """Count what is new. To be called by one thread at a time."""
        rows = self._histogram.rows
        new = min(rows - self._counted, CAPACITY)
        if not new:
            return
        self.missed += rows - self._counted - new
        self._counted = rows
        samples_ns = self._histogram.newest(new)
        self.sum_s += float(samples_ns.sum()) / _NS_PER_S
        self._counts += np.bincount(np.searchsorted(_BOUNDS_NS, samples_ns), minlength=len(self._counts))

    def cumulative(self) -> list[tuple[str, float]]:
        """Give the buckets.

        Returns:
            (upper bound, samples at or below it), the last bound being "+Inf".
        """
        bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
        return list(zip(bounds, np.cumsum(self._counts).astype(float).tolist(), strict=True))
