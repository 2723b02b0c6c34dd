"""Statistics of each stage over the processes of a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgevid.bench import statistics
from edgevid.bench.figures import Estimate, StageStatistics
from edgevid.frames import Array
from edgevid.telemetry.latency import NONE
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_MS

PERCENTILES: Mapping[str, float] = {
    "p5": 0.05, "p25": 0.25, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999,
}  # fmt: skip
# Nanoseconds are below the clock's own grain on every board.
_DIGITS = 6


def stage_statistics(
    runs: Sequence[Array], largest_ns: Mapping[str, int], *, window: int
) -> dict[str, StageStatistics]:
    """Return the statistics of each stage that has samples.

    Args:
        runs: For each process (N, stages) int64 in ns, in the order of time.
        largest_ns: Largest time by stage, of all answers.
        window: Frames of the model's window; the length of a bootstrap block.
    """
    found = {}
    for column, stage in enumerate(STAGES):
        samples = [run[:, column][run[:, column] != NONE] / NS_PER_MS for run in runs]
        samples = [each for each in samples if len(each)]
        if samples:
            found[stage] = _statistics(samples, largest_ns[stage] / NS_PER_MS, window=window)
    return found


def _statistics(runs: Sequence[Array], largest_ms: float, *, window: int) -> StageStatistics:
    samples = np.concatenate(runs)
    ordered = np.sort(samples)
    correlation = float(np.median([statistics.lag1(run) for run in runs]))
    effective = statistics.effective_count(len(samples), correlation)
    drifts = [statistics.drift(run) for run in runs]
    mean = statistics.block_bootstrap_mean(samples, block=window)
    return StageStatistics(
        n=len(samples),
        n_effective=round(effective, 1),
        min=_rounded(float(ordered[0])),
        mean=_estimate(mean),
        max=_rounded(largest_ms),
        percentiles={name: _percentile(ordered, share, effective) for name, share in PERCENTILES.items()},
        mad=_rounded(statistics.spread(samples)[1]),
        cv=_rounded(statistics.robust_cv(samples)),
        lag1=_rounded(correlation),
        outliers=len(statistics.outlier_indices(samples)),
        drift=_rounded(float(np.median([each.share for each in drifts]))),
        drift_p=_rounded(float(np.median([each.p for each in drifts]))),
    )


def _percentile(ordered: Array, share: float, effective: float) -> Estimate:
    bound = statistics.upper_bound(ordered, share, effective=effective) if share >= 0.9 else None
    return _estimate(statistics.percentile(ordered, share, effective=effective), bound)


def _estimate(interval: statistics.Interval, bound: float | None = None) -> Estimate:
    low, high, bound = (None if end is None else _rounded(end) for end in (interval.low, interval.high, bound))
    return Estimate(value=_rounded(interval.value), low=low, high=high, bound_99=bound)


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
