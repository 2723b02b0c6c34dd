"""Tries rules on stored scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convert.event_metrics import Answered, replay
from convert.event_metrics.alarms import match_recording
from edgevid.events.decide import Decider
from edgevid.events.rule import DecisionRule


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule gives.

    Attributes:
        hits: True events that it finds.
        misses: True events that it does not find.
        false_alarms: Events without a true one.
        delay_s: Median time from true start to announcement; 0 without hits.
    """

    hits: int
    misses: int
    false_alarms: int
    delay_s: float

    @property
    def f1(self) -> float:
        """F1 of the events."""
        counted = 2 * self.hits + self.misses + self.false_alarms
        return 2 * self.hits / counted if counted else 1.0


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
        self._recordings, self._decider, self._tolerance_s = recordings, decider, tolerance_s
        self.hours = sum(each.trace.duration_s for each in recordings) / 3600
        self._limit = max_false_per_hour
        self._outcomes: dict[DecisionRule, Outcome] = {}

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
        return self._limit is None or self.outcome(rule).false_alarms <= self._limit * self.hours

    def merit(self, rule: DecisionRule) -> tuple[float, ...]:
        """Return what rules are compared by, better ones higher.

        Without a limit, F1 of the events, then how soon they are announced. With one, the limit
        first and the share of found events second.
        """
        outcome = self.outcome(rule)
        if self._limit is None:
            return (outcome.f1, -outcome.delay_s)
        over = max(0.0, outcome.false_alarms - self._limit * self.hours)
        return (-over, float(outcome.hits), outcome.f1, -outcome.delay_s)

    def _try(self, rule: DecisionRule) -> Outcome:
        hits = misses = false_alarms = 0
        delays_s: list[float] = []
        for each in self._recordings:
            events = replay(each.trace, lambda: self._decider(rule))
            score = match_recording(replace(each, events=events), tolerance_s=self._tolerance_s).score
            hits, misses = hits + len(score.matched), misses + len(score.missed)
            false_alarms += len(score.false_alarms)
            delays_s += [event.announced_s - real.start_s for real, event in score.matched]
        return Outcome(hits, misses, false_alarms, float(np.median(delays_s)) if delays_s else 0.0)
