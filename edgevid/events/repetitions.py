"""Repetitions of a periodic movement, such as squats, counted from the scores of a stream.

A model sees a repetition in one of two ways. Either its classes are phases, such as `up` and
`down`: then a repetition is a whole cycle, from the first phase through all others and back to the
first. Or one class rises and falls once a repetition: then a repetition is a rise and a fall by at
least `swing`. Either way a half repetition does not count, a rest does not matter, and the count
rises in the answer that completes the repetition; nothing is corrected later.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgevid.errors import UsageError
from edgevid.events.decide import Decision

# Times are nanoseconds converted to float seconds, so a difference may exceed the interval it stands for.
_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Repetition:
    """One whole repetition.

    Attributes:
        name: What was counted: the phases, with commas between.
        number: 1 for the first repetition.
        start_s: Sensor time in seconds at which the first phase, or the rise, began.
        end_s: Sensor time in seconds of the answer that completed it.
    """

    name: str
    number: int
    start_s: float
    end_s: float


class RepetitionCounter:
    """Counts the repetitions in the scores of one stream.

    Args:
        phases: The classes of a cycle in their order, or one class whose score swings.
        labels: The classes of the model, in the order of the scores.
        enter: Score at which a phase begins, above 0, to 1. The phase before it lasts until then.
        swing: Least rise and least fall of a single class, above 0, to 1.
        smoothing_s: A score is the median of the answers of so many seconds, and at least of three; 0
            for the newest answer alone.
        shortest_s: Repetitions that are shorter do not count.

    Raises:
        UsageError: A phase is no class of the model, occurs twice, or a number is out of range.

    Attributes:
        name: The phases, with commas between.
        count: Repetitions so far.
    """

    def __init__(
        self,
        phases: Sequence[str],
        labels: Sequence[str],
        *,
        enter: float = 0.6,
        swing: float = 0.5,
        smoothing_s: float = 0.2,
        shortest_s: float = 0.4,
    ) -> None:
        _check(phases, labels)
        UsageError.unless(0 < enter <= 1, expected="enter above 0, to 1", got=enter)
        UsageError.unless(0 < swing <= 1, expected="swing above 0, to 1", got=swing)
        UsageError.unless(0 <= smoothing_s < math.inf, expected="smoothing_s of 0 or more", got=smoothing_s)
        UsageError.unless(0 <= shortest_s < math.inf, expected="shortest_s of 0 or more", got=shortest_s)
        self.name = ",".join(phases)
        self.count = 0
        self._places = [list(labels).index(phase) for phase in phases]
        self._smoothing_s, self._shortest_s = smoothing_s, shortest_s
        self._last_s = -math.inf
        self._steps: _Cycle | _Swing = _Swing(swing) if len(phases) == 1 else _Cycle(len(phases), enter)
        self._forget()

    def update(self, t_s: float, scores: Sequence[float]) -> Repetition | None:
        """Process the scores of one answer.

        Args:
            t_s: Sensor time in seconds. If it runs backwards, a repetition that has begun is
                forgotten.
            scores: One probability per class of the model.

        Returns:
            The repetition that this answer completes, if any.
        """
        if t_s <= self._last_s:
            self._forget()
        self._last_s = t_s
        smooth = [median.add(t_s, scores[place]) for median, place in zip(self._medians, self._places, strict=True)]
        start_s = self._steps.advance(t_s, smooth)
        if start_s is None or t_s - start_s < self._shortest_s:
            return None
        self.count += 1
        return Repetition(self.name, self.count, start_s, t_s)

    def reset(self) -> None:
        """Count from 0 again, as at the start of a set."""
        self.count = 0
        self._forget()

    def _forget(self) -> None:
        self._medians = [_Median(self._smoothing_s) for _ in self._places]
        self._last_s = -math.inf
        self._steps.forget()


def count(
    decisions: Iterable[Decision],
    *phases: str,
    enter: float = 0.6,
    swing: float = 0.5,
    smoothing_s: float = 0.2,
    shortest_s: float = 0.4,
) -> Iterator[Repetition]:
    """Count the repetitions in the decisions of a model, as they come.

        for repetition in edgevid.count(model.watch("picamera2"), "up", "down"):
            print(repetition.number, repetition.end_s)

    Args:
        decisions: Of one model, as from `Model.watch`.
        phases: See `RepetitionCounter`.
        enter: See `RepetitionCounter`.
        swing: See `RepetitionCounter`.
        smoothing_s: See `RepetitionCounter`.
        shortest_s: See `RepetitionCounter`.

    Yields:
        Each repetition in the moment in which it is complete.

    Raises:
        UsageError: A phase is no class of the model, occurs twice, or a number is out of range.
    """
    counter: RepetitionCounter | None = None
    for decision in decisions:
        if counter is None:
            counter = RepetitionCounter(
                phases, decision.labels, enter=enter, swing=swing, smoothing_s=smoothing_s, shortest_s=shortest_s
            )
        repetition = counter.update(decision.t_s, decision.probabilities)
        if repetition is not None:
            yield repetition


def _check(phases: Sequence[str], labels: Sequence[str]) -> None:
    for phase in phases:
        UsageError.unless(phase in labels, expected="a class to count", choices=labels, got=phase)
    UsageError.unless(bool(phases), expected="at least one class to count", found="none")
    UsageError.unless(len(set(phases)) == len(phases), expected="phases that are all different", got=tuple(phases))


class _Median:
    """The median of the values of the last seconds: a single flickering answer does not move it."""

    __slots__ = ("_least", "_seconds", "_sorted", "_values")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._least = 3 if seconds else 1
        self._values: deque[tuple[float, float]] = deque()
        self._sorted: list[float] = []

    def add(self, t_s: float, value: float) -> float:
        """Add a value, and return the median of those that are not too old."""
        self._values.append((t_s, value))
        insort(self._sorted, value)
        # Three at least, also of a slow stream: the median of two is moved by either of them.
        while len(self._values) > self._least and t_s - self._values[0][0] > self._seconds + _SLACK_S:
            self._sorted.remove(self._values.popleft()[1])
        middle = len(self._sorted) // 2
        if len(self._sorted) % 2:
            return self._sorted[middle]
        return (self._sorted[middle - 1] + self._sorted[middle]) / 2


class _Cycle:
    """Phases in their order, and back to the first.

    A step back undoes a step: who turns round half-way has done nothing yet. A skipped phase ends
    the cycle, and the next one begins in the first phase.
    """

    def __init__(self, phases: int, enter: float) -> None:
        self._phases, self._enter = phases, enter
        self.forget()

    def forget(self) -> None:
        self._phase: int | None = None
        # Phases passed of the present cycle; None before the first phase was seen.
        self._place: int | None = None
        self._start_s = 0.0

    def advance(self, t_s: float, scores: Sequence[float]) -> float | None:
        """Return the start of the cycle that ends now, if one does."""
        best = max(range(self._phases), key=scores.__getitem__)
        if scores[best] < self._enter or best == self._phase:
            return None
        self._phase, start_s = best, self._start_s
        is_whole = best == 0 and self._place == self._phases - 1
        is_next = self._place is not None and abs(best - self._place) == 1
        self._place = best if best == 0 or is_next else None
        if best == 0:
            self._start_s = t_s
        return start_s if is_whole else None


class _Swing:
    """A score that rises and falls, each time by a least amount."""

    def __init__(self, swing: float) -> None:
        self._swing = swing
        self.forget()

    def forget(self) -> None:
        self._has_risen = False
        self._extreme, self._extreme_s = math.inf, 0.0
        self._start_s = 0.0

    def advance(self, t_s: float, scores: Sequence[float]) -> float | None:
        """Return the start of the rise whose fall is complete now, if one is."""
        (score,) = scores
        if self._has_risen:
            if score > self._extreme:
                self._extreme = score
            elif score <= self._extreme - self._swing:
                self._has_risen, self._extreme, self._extreme_s = False, score, t_s
                return self._start_s
        elif score <= self._extreme:
            # The last of equal lows: a rest belongs to no repetition.
            self._extreme, self._extreme_s = score, t_s
        elif score >= self._extreme + self._swing:
            self._has_risen, self._extreme, self._start_s = True, score, self._extreme_s
        return None
