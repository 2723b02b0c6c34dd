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
    effective = sum(statistics.effective_count(run) for run in runs)
    # The process with the strongest evidence; of several, one shows a small p by chance.
    drift = min((statistics.drift(run) for run in runs), key=lambda each: each.p)
    return StageStatistics(
        n=len(samples),
        n_effective=round(effective, 1),
        min=_rounded(float(ordered[0])),
        mean=_mean(runs, samples, block=window),
        max=_rounded(largest_ms),
        percentiles={name: _percentile(runs, ordered, share, effective) for name, share in PERCENTILES.items()},
        mad=_rounded(statistics.spread(samples)[1]),
        cv=_rounded(statistics.robust_cv(samples)),
        lag1=_rounded(float(np.median([statistics.lag1(run) for run in runs]))),
        outliers=len(statistics.outlier_indices(samples)),
        drift=_rounded(drift.share),
        drift_p=_rounded(min(1.0, drift.p * len(runs))),
    )


def _mean(runs: Sequence[Array], samples: Array, *, block: int) -> Estimate:
    """Return the mean; its interval is the wider of that over frames and that over processes."""
    over_frames = statistics.block_bootstrap_mean(samples, block=block)
    return _wider(over_frames, statistics.mean_interval([float(run.mean()) for run in runs]))


def _percentile(runs: Sequence[Array], ordered: Array, share: float, effective: float) -> Estimate:
    """Return a percentile; its interval is the wider of that over frames and that over processes."""
    over_frames = statistics.percentile(ordered, share, effective=effective)
    of_processes = [float(np.quantile(run, share)) for run in runs]
    bound = None
    if share >= 0.9:
        bound = statistics.upper_bound(ordered, share, effective=effective)
        over_processes = statistics.mean_upper(of_processes)
        bound = bound if bound is None or over_processes is None else max(bound, over_processes)
    return _wider(over_frames, statistics.mean_interval(of_processes), bound)


def _wider(frames: statistics.Interval, processes: statistics.Interval, bound: float | None = None) -> Estimate:
    # Frames of one process share its layout of memory: they say little of the next process.
    low = frames.low if processes.low is None or frames.low is None else min(frames.low, processes.low)
    high = frames.high if processes.high is None or frames.high is None else max(frames.high, processes.high)
    low, high, bound = (None if end is None else _rounded(end) for end in (low, high, bound))
    return Estimate(value=_rounded(frames.value), low=low, high=high, bound_99=bound)


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
