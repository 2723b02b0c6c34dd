"""Tries rules on stored scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convert.event_metrics import Answered, replay
from convert.event_metrics.alarms import match_recording
from edgevid.events.decide import Decider, Event
from edgevid.events.rule import DecisionRule
from edgevid.events.timeline import Interval, overlapping


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule gives.

    Attributes:
        hits: True events that it finds.
        misses: True events that it does not find.
        false_alarms: Events without a true one.
        placed: Events that overlap a true one by half, once the common delay is taken off them.
        delay_s: Median time from true start to announcement; 0 without hits.
        hours: Time of the recordings.
    """

    hits: int
    misses: int
    false_alarms: int
    placed: int
    delay_s: float
    hours: float

    def __add__(self, other: Outcome) -> Outcome:
        """Return the outcome on both sets of recordings; the delay is the mean."""
        return Outcome(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
            self.placed + other.placed,
            (self.delay_s + other.delay_s) / 2,
            self.hours + other.hours,
        )

    @property
    def f1(self) -> float:
        """F1 of the events."""
        return self._f1(self.hits)

    @property
    def f1_50(self) -> float:
        """F1 of the events that overlap a true one by half."""
        return self._f1(self.placed)

    def _f1(self, right: int) -> float:
        counted = 2 * self.hits + self.misses + self.false_alarms
        return 2 * right / counted if counted else 1.0

    def merit(self, max_false_per_hour: float | None) -> tuple[float, ...]:
        """Return what rules are compared by, better ones higher.

        Without a limit, F1 of the events and F1 of those that are well placed, then how soon they
        are announced. With one, the limit first, and the share of found events in place of F1.

        Args:
            max_false_per_hour: The most false alarms an hour; None for no limit.
        """
        if max_false_per_hour is None:
            return (self.f1 + self.f1_50, -self.delay_s)
        over = max(0.0, self.false_alarms - max_false_per_hour * self.hours)
        truth = self.hits + self.misses
        return (-over, (self.hits / truth if truth else 1.0) + self.f1_50, -self.delay_s)


class Trials:
    """Rates rules on recordings. A rule is tried once, however often it is asked for.

    Args:
        recordings: Recordings with scores and truth.
        decider: Returns a new decider for a rule.
        tolerance_s: As for `match_recording`.
        max_false_per_hour: The most false alarms an hour; None for no limit.
    """

    def __init__(
        self,
        recordings: Sequence[Answered],
        decider: Callable[[DecisionRule], Decider],
        *,
        tolerance_s: float,
        max_false_per_hour: float | None,
    ) -> None:
        self.recordings = tuple(recordings)
        self._decider, self._tolerance_s = decider, tolerance_s
        self.max_false_per_hour = max_false_per_hour
        self._outcomes: dict[DecisionRule, Outcome] = {}

    def of(self, recordings: Sequence[Answered]) -> Trials:
        """Return trials of the same kind on other recordings."""
        return Trials(
            recordings, self._decider, tolerance_s=self._tolerance_s, max_false_per_hour=self.max_false_per_hour
        )

    def __len__(self) -> int:
        """Return how many rules were tried."""
        return len(self._outcomes)

    def outcome(self, rule: DecisionRule) -> Outcome:
        """Return what a rule gives."""
        if rule not in self._outcomes:
            self._outcomes[rule] = self._try(rule)
        return self._outcomes[rule]

    def keeps_limit(self, rule: DecisionRule) -> bool:
        """Return whether a rule has few enough false alarms."""
        outcome = self.outcome(rule)
        return self.max_false_per_hour is None or outcome.false_alarms <= self.max_false_per_hour * outcome.hours

    def merit(self, rule: DecisionRule) -> tuple[float, ...]:
        """Return what rules are compared by, see `Outcome.merit`."""
        return self.outcome(rule).merit(self.max_false_per_hour)

    def _try(self, rule: DecisionRule) -> Outcome:
        answered = [replace(each, events=replay(each.trace, lambda: self._decider(rule))) for each in self.recordings]
        scores = [match_recording(each, tolerance_s=self._tolerance_s).score for each in answered]
        pairs = [pair for score in scores for pair in score.matched]
        delays_s = [event.announced_s - real.start_s for real, event in pairs]
        return Outcome(
            hits=len(pairs),
            misses=sum(len(score.missed) for score in scores),
            false_alarms=sum(len(score.false_alarms) for score in scores),
            placed=_placed(answered, pairs),
            delay_s=float(np.median(delays_s)) if delays_s else 0.0,
            hours=sum(each.trace.duration_s for each in answered) / 3600,
        )


def _placed(answered: Sequence[Answered], pairs: Sequence[tuple[Interval, Event]]) -> int:
    """Count the events that overlap a true one by half, less the median errors of start and end."""
    if not pairs:
        return 0
    start_s = float(np.median([event.start_s - real.start_s for real, event in pairs]))
    end_s = float(np.median([event.end_s - real.end_s for real, event in pairs]))
    return sum(
        overlapping(
            [replace(event, start_s=event.start_s - start_s, end_s=event.end_s - end_s) for event in each.events],
            each.truth,
            0.5,
        )
        for each in answered
    )
