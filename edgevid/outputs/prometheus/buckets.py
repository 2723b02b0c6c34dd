"""Latency histograms that only grow, as Prometheus requires, from the telemetry's ring of samples.

The loop only records a sample. An exporter calls `Histogram.fold` every second, long before the
ring of `KEPT` rows wraps around at the frame rate of a camera.
"""

from __future__ import annotations

import numpy as np

from edgevid.telemetry.latency import CAPACITY, LatencySamples
from edgevid.units import NS_PER_S

BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_BOUNDS_NS = np.array(BOUNDS_S) * NS_PER_S


class Histogram:
    """Cumulative bucket counts of one quantity.

    Args:
        histogram: The samples that the loop records.

    Attributes:
        sum_s: Sum of all counted samples, in seconds.
        missed: Rows that were overwritten before they were counted.
    """

    def __init__(self, histogram: LatencySamples) -> None:
        self.sum_s = 0.0
        self.missed = 0
        self._histogram = histogram
        self._counted = 0
        # The last bucket is for samples above the last bound.
        self._counts = np.zeros(len(BOUNDS_S) + 1, np.int64)

    def fold(self) -> None:
        """Count the samples since the last call. The caller serializes calls."""
        rows = self._histogram.rows
        new = min(rows - self._counted, CAPACITY)
        if not new:
            return
        self.missed += rows - self._counted - new
        self._counted = rows
        samples_ns = self._histogram.newest(new)
        self.sum_s += float(samples_ns.sum()) / NS_PER_S
        self._counts += np.bincount(np.searchsorted(_BOUNDS_NS, samples_ns), minlength=len(self._counts))

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, samples at or below it) per bucket; the last bound is "+Inf"."""
        bounds = [*(str(bound) for bound in BOUNDS_S), "+Inf"]
        return list(zip(bounds, np.cumsum(self._counts).astype(float).tolist(), strict=True))
