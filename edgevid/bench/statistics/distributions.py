"""Distribution functions, since the device has no SciPy."""

from __future__ import annotations

import math

import numpy as np

from edgevid.frames import Array

CONFIDENCE = 0.95
# The normal distribution's quantile of 97.5 %.
_Z = 1.959963984540054
_BISECTIONS, _T_BISECTIONS = 60, 80


def binomial_at_most(successes: int, trials: int, share: float) -> float:
    """Return P(X <= successes) of a binomial distribution.

    Source: Numerical Recipes, 6.4: the incomplete beta function by its continued fraction.
    """
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    return _incomplete_beta(trials - successes, successes + 1, 1 - share)


def share_upper(failures: int, trials: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the Clopper-Pearson upper bound of a share of failures, one-sided.

    Args:
        failures: 0 to `trials`.
        trials: At least 1.
        confidence: Of the bound.
    """
    if failures >= trials:
        return 1.0
    low, high = failures / trials, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_at_most(failures, trials, middle) > 1 - confidence else (low, middle)
    return high


def share_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the Wilson interval of a share at 95 % confidence.

    Args:
        successes: 0 to `trials`.
        trials: At least 1.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.
    """
    share, z2 = successes / trials, _Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    # At the ends the formula is exact, but not its rounding.
    return 0.0 if successes == 0 else middle - half, 1.0 if successes == trials else middle + half


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction by the modified Lentz method."""
    tiny = 1e-300
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d, tiny)
            c = _away_from_zero(1 + term / c, tiny)
            value *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return value


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def t_quantile(share: float, freedom: int) -> float:
    """Return a quantile of Student's t above its median.

    Args:
        share: Above 0.5 and below 1.
        freedom: Degrees of freedom, at least 1.

    Source: Abramowitz and Stegun, 26.7.1: P(|T| > t) = I_x(f/2, 1/2) with x = f / (f + t^2).
    """
    low, high = 0.0, 1e6
    for _ in range(_T_BISECTIONS):
        middle = (low + high) / 2
        above = _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + middle * middle)) / 2
        low, high = (middle, high) if above > 1 - share else (low, middle)
    return high


def mann_whitney_at_most(n: int, m: int) -> Array:
    """Return P(U <= k) for k = 0..n*m, for groups of n and m without ties."""
    # counts[k]: orders with statistic k, built up as the Gaussian binomial coefficient.
    counts = np.zeros(n * m + 1)
    counts[0] = 1
    for i in range(1, n + 1):
        top, bottom = m + i, i
        for k in range(len(counts) - 1, top - 1, -1):
            counts[k] -= counts[k - top]
        for k in range(bottom, len(counts)):
            counts[k] += counts[k - bottom]
    return np.cumsum(counts) / counts.sum()
