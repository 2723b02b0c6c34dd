"""Statistics of latency samples that state how much the samples can carry."""

from edgevid.bench.statistics.distributions import binomial_at_most, share_interval, share_upper, t_quantile
from edgevid.bench.statistics.samples import (
    Drift,
    Interval,
    Shift,
    block_bootstrap_mean,
    drift,
    effective_count,
    lag1,
    mean_interval,
    mean_upper,
    outlier_indices,
    percentile,
    robust_cv,
    shift,
    spread,
    upper_bound,
)

__all__ = [
    "Drift",
    "Interval",
    "Shift",
    "binomial_at_most",
    "block_bootstrap_mean",
    "drift",
    "effective_count",
    "lag1",
    "mean_interval",
    "mean_upper",
    "outlier_indices",
    "percentile",
    "robust_cv",
    "share_interval",
    "share_upper",
    "shift",
    "spread",
    "t_quantile",
    "upper_bound",
]
