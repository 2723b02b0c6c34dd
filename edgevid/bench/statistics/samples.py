"""Statistics of latency samples that state how much the samples can carry.

Latencies are skewed, have a long tail and depend on their predecessors. So a percentile comes with
an interval that assumes no distribution, and the number of samples is reduced by their
autocorrelation. A percentile whose interval does not exist within the samples is no percentile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgevid.bench.statistics.distributions import CONFIDENCE, binomial_at_most, mann_whitney_at_most, t_quantile
from edgevid.frames import Array

# Iglewicz and Hoaglin's modified z-score, at 10 sigmas of a normal distribution (0.6745 MAD each).
OUTLIER_Z = 14.826
_SIGMAS_PER_MAD = 1.4826
# Drift is sought in medians of this many blocks: single samples depend on their predecessors.
_DRIFT_BLOCKS, _MOST_CORRELATED = 40, 0.6


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the ends of its 95 % interval; an end is None where the samples do not reach it."""

    value: float
    low: float | None
    high: float | None


def percentile(samples: Array, share: float, *, effective: float | None = None) -> Interval:
    """Return a percentile with its order-statistic interval.

    Args:
        samples: (N,), sorted; at least one.
        share: The percentile as a share, above 0 and below 1.
        effective: Number of independent samples; N by default.

    Returns:
        The sample percentile; ends are samples. The upper end is None if only the maximum covers
        it, which says nothing of the next run: the percentile is then only a lower bound.

    Source: Conover, Practical Nonparametric Statistics, 3.2: ranks r < s with
    P(r <= Bin(n, p) < s) >= 0.95, each tail at most 0.025.
    """
    count = max(1, round(effective if effective is not None else len(samples)))
    lower, upper = _ranks(count, share)
    # Ranks among independent samples are shares of all samples.
    stretch = len(samples) / count
    low = None if lower < 1 else float(samples[max(0, math.floor((lower - 1) * stretch))])
    high = None if upper >= count else float(samples[min(len(samples) - 1, math.ceil(upper * stretch) - 1)])
    return Interval(float(np.quantile(samples, share)), low, high)


def upper_bound(
    samples: Array, share: float, *, effective: float | None = None, confidence: float = 0.99
) -> float | None:
    """Return the one-sided upper bound of a percentile; None if the samples do not reach it.

    Args:
        samples: (N,), sorted; at least one.
        share: The percentile as a share.
        effective: Number of independent samples; N by default.
        confidence: Of the bound.
    """
    count = max(1, round(effective if effective is not None else len(samples)))
    rank = _smallest(count, lambda k: binomial_at_most(k - 1, count, share) >= confidence)
    return None if rank > count else float(samples[min(len(samples) - 1, math.ceil(rank * len(samples) / count) - 1)])


def _ranks(count: int, share: float) -> tuple[int, int]:
    """Return the ranks, from 1, of the interval's ends; 0 and count + 1 where there is none."""
    tail = (1 - CONFIDENCE) / 2
    # The largest r with P(Bin < r) <= tail, and the smallest s with P(Bin >= s) <= tail.
    lower = _smallest(count, lambda k: binomial_at_most(k - 1, count, share) > tail) - 1
    upper = _smallest(count, lambda k: 1 - binomial_at_most(k - 1, count, share) <= tail)
    return lower, upper


def _smallest(count: int, holds: Callable[[int], bool]) -> int:
    """Return the smallest k in 1..count for which a monotonic condition holds; count + 1 if none."""
    low, high = 1, count + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def lag1(samples: Array) -> float:
    """Return the autocorrelation of ranks at lag 1; 0 for fewer than three samples or equal ones.

    Ranks, because one outlier of a thousandfold would hide the dependence of all others.
    """
    if len(samples) < 3:
        return 0.0
    ranks = _mid_ranks(samples)
    power = float(ranks @ ranks)
    return float(ranks[:-1] @ ranks[1:]) / power if power else 0.0


def _mid_ranks(samples: Array) -> Array:
    """Return ranks around 0; equal samples share the mean of theirs."""
    _, places, counts = np.unique(samples, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[places].astype(np.float64)
    return ranks - ranks.mean()


def effective_count(samples: Array) -> float:
    """Return the number of independent samples that carry as much as dependent ones.

    The smaller of two estimates: that of a first-order autoregression, n (1 - r) / (1 + r), which
    sees quick dependence, and that of batch means, which sees slow wander below noise.

    Args:
        samples: (N,), in the order of time; at least one.

    Source: Bayley and Hammersley 1946; batch means of sqrt(N) samples as in Flegal and Jones 2010,
    both on ranks.
    """
    count, correlation = len(samples), min(0.999, max(0.0, lag1(samples)))
    by_lag = (1 - correlation) / (1 + correlation)
    size = math.isqrt(count)
    if size < 4:
        return max(1.0, count * by_lag)
    ranks = _mid_ranks(samples)
    power = float(ranks.var())
    batches = ranks[: count // size * size].reshape(-1, size).mean(axis=1)
    by_batches = power / (size * float(batches.var(ddof=1))) if power and batches.var() else 1.0
    return max(1.0, count * min(1.0, by_lag, by_batches))


def outlier_indices(samples: Array) -> Array:
    """Return the indices of samples whose modified z-score is above `OUTLIER_Z`.

    Args:
        samples: (N,).

    Returns:
        int64. Nothing counts as an outlier if half of the samples are equal.
    """
    middle, mad = spread(samples)
    return np.zeros(0, np.int64) if mad == 0 else np.flatnonzero(0.6745 * np.abs(samples - middle) / mad > OUTLIER_Z)


def spread(samples: Array) -> tuple[float, float]:
    """Return the median and the median absolute deviation."""
    middle = float(np.median(samples))
    return middle, float(np.median(np.abs(samples - middle)))


def robust_cv(samples: Array) -> float:
    """Return the coefficient of variation without the weight of outliers: 1.4826 MAD / median."""
    middle, mad = spread(samples)
    return _SIGMAS_PER_MAD * mad / middle if middle else 0.0


@dataclass(frozen=True, slots=True)
class Drift:
    """A trend of samples over their order.

    Attributes:
        share: Change over the run by the Theil-Sen slope, as a share of the median.
        p: Two-sided Mann-Kendall probability that there is none.
    """

    share: float
    p: float


def drift(samples: Array) -> Drift:
    """Test the medians of blocks for a trend.

    Args:
        samples: (N,), in the order of time.

    Source: Mann 1945; Kendall 1975, without correction for ties; Sen 1968. The variance is corrected
    for a first-order autocorrelation of the detrended medians, as by Yue and Wang 2004.
    """
    blocks = [block for block in np.array_split(samples, _DRIFT_BLOCKS) if len(block)]
    medians = np.array([np.median(block) for block in blocks])
    count = len(medians)
    middle = float(np.median(medians))
    if count < 4 or not middle:
        return Drift(0.0, 1.0)
    earlier, later = np.triu_indices(count, 1)
    steps = medians[later] - medians[earlier]
    score = int(np.sign(steps).sum())
    slope = float(np.median(steps / (later - earlier)))
    # Blocks may depend on each other as well, about their trend: then there are fewer of them. Not without limit, for
    # what a bent trend leaves beside a line depends on itself too.
    correlation = min(_MOST_CORRELATED, max(0.0, lag1(medians - slope * np.arange(count))))
    inflation = (1 + correlation) / (1 - correlation)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18 * inflation)
    z = max(0, abs(score) - 1) / deviation
    return Drift(slope * (count - 1) / middle, math.erfc(z / math.sqrt(2)))


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean of a few independent values with Student's interval.

    Args:
        values: At least one, such as the medians of several processes.
    """
    mean, error = _mean_and_error(values)
    if error is None:
        return Interval(mean, None, None)
    half = t_quantile(1 - (1 - CONFIDENCE) / 2, len(values) - 1) * error
    return Interval(mean, mean - half, mean + half)


def mean_upper(values: Sequence[float], *, confidence: float = 0.99) -> float | None:
    """Return Student's one-sided upper bound of a mean; None for a single value."""
    mean, error = _mean_and_error(values)
    return None if error is None else mean + t_quantile(confidence, len(values) - 1) * error


def _mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and its standard error; None for a single value."""
    array = np.asarray(values, np.float64)
    error = float(array.std(ddof=1)) / math.sqrt(len(array)) if len(array) > 1 else None
    return float(array.mean()), error


def block_bootstrap_mean(samples: Array, *, block: int, rounds: int = 400, seed: int = 0) -> Interval:
    """Return the mean of dependent samples with a moving-block bootstrap interval.

    Args:
        samples: (N,), in the order of time.
        block: Samples in a block; dependence beyond it is ignored.
        rounds: Resamples.
        seed: Of the random numbers.

    Source: Künsch 1989.
    """
    count = len(samples)
    block = max(1, min(block, count))
    sums = np.concatenate([[0.0], np.cumsum(samples, dtype=np.float64)])
    block_sums = sums[block:] - sums[:-block]
    chosen = np.random.default_rng(seed).integers(0, len(block_sums), (rounds, max(1, round(count / block))))
    low, high = np.quantile(block_sums[chosen].mean(axis=1) / block, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(samples.mean()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Shift:
    """The difference of two groups as a ratio.

    Attributes:
        ratio: New over old: the Hodges-Lehmann estimate.
        low: Lower end of its 95 % interval; None if the groups are too small for one.
        high: Upper end.
        p: Two-sided Mann-Whitney probability of such a difference by chance.
    """

    ratio: float
    low: float | None
    high: float | None
    p: float


def shift(old: Sequence[float], new: Sequence[float]) -> Shift:
    """Compare two groups of positive values, such as the medians of processes.

    Source: Hodges and Lehmann 1963, on logarithms; the exact distribution of Mann and Whitney 1947.
    """
    logs = np.sort(np.subtract.outer(np.log(new), np.log(old)).ravel())
    at_most = mann_whitney_at_most(len(old), len(new))
    # Ties count half.
    u = float((logs > 0).sum() + 0.5 * (logs == 0).sum())
    p = min(1.0, 2 * float(at_most[math.floor(min(u, len(logs) - u))]))
    # Values of U within the tail: the interval's ends are so many differences from the extremes.
    within = int((at_most <= (1 - CONFIDENCE) / 2).sum())
    low, high = (logs[within - 1], logs[-within]) if within else (None, None)
    ratio = math.exp(float(np.median(logs)))
    return Shift(ratio, None if low is None else math.exp(low), None if high is None else math.exp(high), p)
