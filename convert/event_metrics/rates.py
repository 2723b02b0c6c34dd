"""Counts over time: a rate with its interval, and how much longer one has to look to be sure.

False alarms are taken for independent of each other, so that their number in a time follows the
Poisson distribution. The interval is the exact one of Garwood, "Fiducial limits for the Poisson
distribution", Biometrika 28 (1936).
"""

from __future__ import annotations

from dataclasses import dataclass

_SURE = 0.95
# More is not worth a number: nobody records for a year to tune a threshold.
_MOST_HOURS = 10_000.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Events an hour.

    Attributes:
        count: Events.
        hours: Time in which they happened.
        per_hour: Their quotient.
        low: Lower end of the 95 % interval of `per_hour`.
        high: Its upper end.
    """

    count: int
    hours: float
    per_hour: float
    low: float
    high: float


def rate(count: int, hours: float) -> Rate:
    """Return a rate with its exact 95 % interval.

    Args:
        count: Events, at least 0.
        hours: Time in which they happened, above 0.
    """
    from scipy.stats import chi2

    tail = (1 - _SURE) / 2
    low = float(chi2.ppf(tail, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(1 - tail, 2 * count + 2)) / 2
    return Rate(count, hours, count / hours, low / hours, high / hours)


def upper_bound(count: float, hours: float) -> float:
    """Return the rate that a count rules out with 95 % certainty.

    No event in ten hours rules out 0.3 an hour or more.

    Args:
        count: Events, at least 0; a fraction where more of the same is expected.
        hours: Time in which they happened, above 0.
    """
    from scipy.stats import chi2

    return float(chi2.ppf(_SURE, 2 * count + 2)) / 2 / hours


def hours_more(count: int, hours: float, limit: float) -> float | None:
    """Return how much longer one has to look to promise a rate, if events go on as they did.

    Args:
        count: Events so far.
        hours: Time so far, above 0.
        limit: The rate to promise, events an hour, above 0.

    Returns:
        Hours; 0 if the promise holds now. None if no time that one can spend is enough: the rate
        is as high as the limit, or hardly lower.
    """
    if upper_bound(count, hours) <= limit:
        return 0.0
    below, above = hours, _MOST_HOURS
    if upper_bound(count / hours * above, above) > limit:
        return None
    while above - below > 0.01 * above:
        middle = (below + above) / 2
        holds = upper_bound(count / hours * middle, middle) <= limit
        below, above = (below, middle) if holds else (middle, above)
    return above - hours
