"""How late an event is known, and which part of the way takes how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from convert.event_metrics.alarms import Alarms
from convert.event_metrics.trace import Answered, Opening, openings
from edgevid.events.decide import Decider
from edgevid.events.rule import DecisionRule
from edgevid.frames import Array

PROMPT_S = 1.0


@dataclass(frozen=True, slots=True)
class Delay:
    """Time from the true start of an action to its announcement, in seconds, in three parts.

    Attributes:
        model_s: Until the model's own score reached `enter`.
        smoothing_s: From then until the smoothed score did.
        min_duration_s: From then until the event had lasted long enough to be announced.
    """

    model_s: float
    smoothing_s: float
    min_duration_s: float

    @property
    def total_s(self) -> float:
        """All three."""
        return self.model_s + self.smoothing_s + self.min_duration_s


@dataclass(frozen=True, kw_only=True)
class DelayMetrics:
    """Delays of the hits.

    Attributes:
        p50_s: Median.
        p90_s: Nine of ten are at most this late.
        within_1_s: Share that is announced at most a second after the true start.
        model_s: Median of the model's part.
        smoothing_s: Median of the smoothing's part.
        min_duration_s: Median of the part of the shortest duration.
        start_error_s: Mean of the start that an event states, less the true one.
        end_error_s: Mean of the end that an event states, less the true one.
    """

    p50_s: float
    p90_s: float
    within_1_s: float
    model_s: float
    smoothing_s: float
    min_duration_s: float
    start_error_s: float
    end_error_s: float


def measure_delays(
    recordings: Sequence[Answered],
    matched: Sequence[Alarms],
    labels: Sequence[str],
    rule: DecisionRule,
    decider: Callable[[DecisionRule], Decider],
) -> DelayMetrics | None:
    """Measure the delays of the hits.

    Args:
        recordings: Recordings with scores.
        matched: Their events and truth, in the same order.
        labels: Classes of the model, in the order of the scores.
        rule: The rule that made the events.
        decider: Returns a new decider for a rule.

    Returns:
        The metrics; None without hits.
    """
    hits = [pair for alarms in matched for pair in alarms.score.matched]
    delays = [
        delay
        for each, alarms in zip(recordings, matched, strict=True)
        for delay in _delays(each, alarms, labels, rule, decider)
    ]
    if not hits:
        return None
    totals_s = np.array([delay.total_s for delay in delays])
    return DelayMetrics(
        p50_s=float(np.median(totals_s)),
        # Of ten delays the ninth, not a value between two of them.
        p90_s=float(np.quantile(totals_s, 0.9, method="inverted_cdf")),
        within_1_s=float((totals_s <= PROMPT_S).mean()),
        model_s=float(np.median([delay.model_s for delay in delays])),
        smoothing_s=float(np.median([delay.smoothing_s for delay in delays])),
        min_duration_s=float(np.median([delay.min_duration_s for delay in delays])),
        start_error_s=float(np.mean([event.start_s - real.start_s for real, event in hits])),
        end_error_s=float(np.mean([event.end_s - real.end_s for real, event in hits])),
    )


def _delays(
    each: Answered,
    alarms: Alarms,
    labels: Sequence[str],
    rule: DecisionRule,
    decider: Callable[[DecisionRule], Decider],
) -> list[Delay]:
    if not alarms.score.matched:
        return []
    found = openings(each.trace, lambda: decider(rule))
    enters = {own.label: own.enter for own in rule.thresholds}
    delays = []
    for real, event in alarms.score.matched:
        # An event that these scores and this rule do not make, as one of a device's log, has one part.
        opening = found.get(event.announced_s, Opening(event.announced_s, event.announced_s))
        scores = each.trace.scores[:, labels.index(event.label)]
        model_s = _reached_s(each.trace.times_s, scores >= enters.get(event.label, rule.enter), opening)
        smoothing_s, min_duration_s = opening.opened_s - model_s, event.announced_s - opening.opened_s
        delays.append(Delay(model_s - real.start_s, smoothing_s, min_duration_s))
    return delays


def _reached_s(times_s: Array, is_over: Array, opening: Opening) -> float:
    """Return when the score reached `enter` on the way to an event."""
    first = int(np.searchsorted(times_s, opening.free_s))
    opened = int(np.searchsorted(times_s, opening.opened_s))
    # A mean over time is nowhere above all of what it is the mean of, so that the score was there.
    over = np.flatnonzero(is_over[first : opened + 1])
    if not len(over):
        return opening.opened_s
    last = first + int(over[-1])
    below = np.flatnonzero(~is_over[first:last])
    return float(times_s[first + int(below[-1]) + 1 if len(below) else first])
