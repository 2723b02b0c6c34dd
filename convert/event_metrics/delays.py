"""How late an event is known, and which part of the way takes how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convert.event_metrics.alarms import Alarms
from convert.event_metrics.trace import Answered, smoothed
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
    recordings: Sequence[Answered], matched: Sequence[Alarms], labels: Sequence[str], rule: DecisionRule
) -> DelayMetrics | None:
    """Measure the delays of the hits.

    Args:
        recordings: Recordings with scores.
        matched: Their events and truth, in the same order.
        labels: Classes of the model, in the order of the scores.
        rule: The rule that made the events.

    Returns:
        The metrics; None without hits.
    """
    hits = [pair for alarms in matched for pair in alarms.score.matched]
    delays = [
        delay for each, alarms in zip(recordings, matched, strict=True) for delay in _delays(each, alarms, labels, rule)
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


def _delays(each: Answered, alarms: Alarms, labels: Sequence[str], rule: DecisionRule) -> list[Delay]:
    if not alarms.score.matched:
        return []
    soft = smoothed(each.trace, rule.smoothing_s)
    own = {one.label: (one.enter, one.exit) for one in rule.thresholds}
    firsts = [segment.first for segment in each.trace.segments]
    delays = []
    for real, event in alarms.score.matched:
        index, (enter, exit_score) = labels.index(event.label), own.get(event.label, (rule.enter, rule.exit))
        announced = int(np.searchsorted(each.trace.times_s, event.announced_s))
        piece = slice(max(first for first in firsts if first <= announced), announced + 1)
        reached, entered = _crossings(each.trace.scores[piece, index], soft[piece, index], enter, exit_score)
        model_s, entered_s = each.trace.times_s[piece][[reached, entered]].tolist()
        delays.append(Delay(model_s - real.start_s, entered_s - model_s, event.announced_s - entered_s))
    return delays


def _crossings(scores: Array, soft: Array, enter: float, exit_score: float) -> tuple[int, int]:
    """Return where the score, and then the smoothed score, reached `enter` before the last answer."""
    rose = _first_of_run(soft >= exit_score, len(soft) - 1)
    entered = rose + int(np.argmax(soft[rose:] >= enter))
    # A mean over time is nowhere above what it is the mean of, so that the score was there before.
    over = np.flatnonzero(scores[: entered + 1] >= enter)
    return (_first_of_run(scores >= enter, int(over[-1])) if len(over) else entered), entered


def _first_of_run(is_over: Array, index: int) -> int:
    """Return the first index of the run of true values that reaches an index."""
    below = np.flatnonzero(~is_over[:index])
    return int(below[-1]) + 1 if len(below) else 0
