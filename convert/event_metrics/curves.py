"""What other thresholds would give: misses and delay against false alarms, from the same scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convert.event_metrics.alarms import match_recording
from convert.event_metrics.trace import Answered, replay
from edgevid.events.decide import Decider
from edgevid.events.rule import ClassThresholds, DecisionRule

# Close together where scores of networks are dense: near 1.
THRESHOLDS = (
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.925,
    0.95,
    0.97,
    0.98,
    0.99,
    0.995,
    0.999,
)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one threshold gives.

    Attributes:
        enter: The threshold, for every class.
        missed: Share of the true events that are missed; 0 without true events.
        false_per_hour: False alarms an hour.
        delay_p50_s: Median time from true start to announcement; None without hits.
    """

    enter: float
    missed: float
    false_per_hour: float
    delay_p50_s: float | None


def threshold_curve(
    recordings: Sequence[Answered],
    rule: DecisionRule,
    decider: Callable[[DecisionRule], Decider],
    *,
    tolerance_s: float,
) -> tuple[CurvePoint, ...]:
    """Try thresholds on stored scores, with everything else of the rule as it is.

    Args:
        recordings: Recordings with scores.
        rule: The rule.
        decider: Returns a new decider for a rule.
        tolerance_s: As for `match_recording`.

    Returns:
        One point for each of `THRESHOLDS`.
    """
    hours = sum(each.trace.duration_s for each in recordings) / 3600
    return tuple(_point(recordings, with_enter(rule, enter), decider, tolerance_s, hours) for enter in THRESHOLDS)


def with_enter(rule: DecisionRule, enter: float) -> DecisionRule:
    """Return a rule with another `enter` for every class, and an `exit` in the same proportion.

    Args:
        rule: The rule.
        enter: Smoothed score at which an event may begin, 0 to 1.
    """
    share = rule.exit / rule.enter if rule.enter else 1.0
    own = tuple(
        ClassThresholds(label=each.label, enter=enter, exit=enter * (each.exit / each.enter if each.enter else 1.0))
        for each in rule.thresholds
    )
    return replace(rule, enter=enter, exit=enter * share, thresholds=own)


def _point(
    recordings: Sequence[Answered],
    rule: DecisionRule,
    decider: Callable[[DecisionRule], Decider],
    tolerance_s: float,
    hours: float,
) -> CurvePoint:
    hits = misses = alarms = 0
    delays_s: list[float] = []
    for each in recordings:
        events = replay(each.trace, lambda: decider(rule))
        score = match_recording(replace(each, events=events), tolerance_s=tolerance_s).score
        hits, misses, alarms = hits + len(score.matched), misses + len(score.missed), alarms + len(score.false_alarms)
        delays_s += [event.announced_s - real.start_s for real, event in score.matched]
    missed = misses / (hits + misses) if hits + misses else 0.0
    return CurvePoint(rule.enter, missed, alarms / hours, float(np.median(delays_s)) if delays_s else None)
