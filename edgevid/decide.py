"""From probabilities to events: smooth, enter high, leave low, drop what is too short.

A model's answer flickers from frame to frame. An event is one stretch of time in which one label held: its smoothed score reached
`enter`, then stayed at or above `exit`. One event is open at a time; another label that reaches `enter` and leads takes its place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgevid.errors import ContractError
from edgevid.frame import Array
from edgevid.manifest import DecisionRule

# Times are whole nanoseconds turned into float seconds, so 0.3 - 0.1 may fall short of 0.2.
_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Decision:
    """The model's answer after one frame.

    Attributes:
        t_s: Sensor time of the newest frame of the window, in seconds.
        label: The class with the highest probability.
        score: Its probability, 0 to 1, as the model gave it, not smoothed.
        scores: (classes,) float32, in the order of `labels`; the engine owns it and the next step changes it.
        age_ms: How old the answer was when it was made: from sensor to decision for a live source, processing time for a file.
        labels: Every class of the model.
        model: Name of the model that answered.
    """

    t_s: float
    label: str
    score: float
    scores: Array = field(compare=False)
    age_ms: float
    labels: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of time in which one label held.

    Attributes:
        label: Its class.
        start_s: When the smoothed score first reached `exit` on its way to `enter`; never before the end of the event before it.
        end_s: The last time the smoothed score was still at or above `exit`; so far, where the event goes on.
        score: Its peak: the highest smoothed score from then till then, 0 to 1.
        age_ms: How old the answer was that made it an event; see `Decision.age_ms`.
        model: Name of the model that saw it.
    """

    label: str
    start_s: float
    end_s: float
    score: float
    age_ms: float = 0.0
    model: str = ""


@dataclass(slots=True)
class _Rise:
    """A label that is at or above `exit`, since when, and the highest it was since then."""

    start_s: float
    end_s: float
    score: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


class Decider:
    """Turns the scores of a stream into events.

    Args:
        labels: One a class, in the order of the scores.
        rule: Thresholds and times.
        model: Name of the model, for the events.

    Attributes:
        ongoing: The event that has begun and not ended, once it has lasted `min_duration_s`, so that what is shown is never taken back.
        started: The same where the last update is the one that made it an event. Every event that ends was started once before.
    """

    def __init__(self, labels: Sequence[str], rule: DecisionRule, *, model: str = "") -> None:
        self.labels = tuple(labels)
        self.rule = rule
        self.model = model
        self.ongoing: Event | None = None
        self.started: Event | None = None
        self._background = frozenset(index for index, label in enumerate(self.labels) if label in rule.background)
        # Plain floats: for tens of classes a list is several times quicker than arrays, whose every call has a price.
        self._smoothed: list[float] = []
        self._rises: dict[int, _Rise] = {}
        self._ended_s: dict[int, float] = {}
        self._last_s: float | None = None
        self._last_end_s = -math.inf
        self._open: int | None = None

    def update(self, t_s: float, scores: Sequence[float], *, age_ms: float = 0.0) -> tuple[Event, ...]:
        """Take the scores of one decision.

        Args:
            t_s: Its time in seconds, later than the one before; call `flush` where time jumps.
            scores: One probability a class, finite; a list is quicker than an array.
            age_ms: How old this answer is; an event that it begins keeps it.

        Returns:
            The events that ended with this decision, usually none.

        Raises:
            ContractError: Scores of another shape or not finite, or a time that does not go forward.
        """
        self._smooth(t_s, scores)
        before = self._rises
        self._rises = self._watch(t_s)
        leader = self._leader()
        ended = self._close(before) if self._is_over(leader) else ()
        if self._open is None and leader is not None:
            self._open = leader
            self._rises[leader].start_s = max(self._rises[leader].start_s, self._last_end_s)
        self._announce(age_ms)
        self._last_s = t_s
        return ended

    def flush(self) -> tuple[Event, ...]:
        """End the open event and forget the smoothed scores: at the end of a stream, and where it has a gap.

        Returns:
            The event that was open, if it had lasted long enough to count.
        """
        ended = self._close(self._rises)
        self.started = None
        self._last_s = None
        self._last_end_s = -math.inf
        self._rises = {}
        return ended

    def _smooth(self, t_s: float, scores: Sequence[float]) -> None:
        if len(scores) != len(self.labels) or not math.isfinite(sum(scores)):
            raise ContractError(f"Expected {len(self.labels)} finite scores, got {scores}.", expected=len(self.labels), got=len(scores))
        if self._last_s is None:
            self._smoothed = list(scores)
            return
        if not t_s > self._last_s:
            raise ContractError(f"Expected a time after {self._last_s} s, got {t_s} s. Flush where time jumps.", expected=self._last_s, got=t_s)
        weight = -math.expm1((self._last_s - t_s) / self.rule.smoothing_s) if self.rule.smoothing_s else 1.0
        self._smoothed = [before + weight * (now - before) for before, now in zip(self._smoothed, scores, strict=True)]

    def _watch(self, t_s: float) -> dict[int, _Rise]:
        """Carry on or begin the rise of each label that is at or above `exit` and may be an event; few are, of however many."""
        rises: dict[int, _Rise] = {}
        if max(self._smoothed) < self.rule.exit:
            return rises
        for index, score in enumerate(self._smoothed):
            if score < self.rule.exit or index in self._background or self._is_cooling(index, t_s):
                continue
            so_far = self._rises.get(index)
            rises[index] = _Rise(so_far.start_s, t_s, max(so_far.score, score)) if so_far else _Rise(t_s, t_s, score)
        return rises

    def _is_cooling(self, index: int, t_s: float) -> bool:
        # A time before the label's last event means that the clock was set back, not that the label is cooling down.
        return 0 <= t_s - self._ended_s.get(index, math.inf) < self.rule.cooldown_s - _SLACK_S

    def _leader(self) -> int | None:
        """The label with the highest smoothed score of those that may be an event now, if it reaches `enter`."""
        if not self._rises:
            return None
        leader = max(self._rises, key=self._smoothed.__getitem__)
        return leader if self._smoothed[leader] >= self.rule.enter else None

    def _is_over(self, leader: int | None) -> bool:
        """Whether the open event ends: its score fell below `exit`, or another label leads."""
        return self._open is not None and (self._open not in self._rises or leader not in (None, self._open))

    def _announce(self, age_ms: float) -> None:
        """Bring `ongoing` and `started` up to date."""
        before = self.ongoing
        self.ongoing = self._lasting(age_ms if before is None else before.age_ms)
        self.started = self.ongoing if before is None else None

    def _lasting(self, age_ms: float) -> Event | None:
        """The open event, if it has lasted long enough to count."""
        if self._open is None:
            return None
        rise = self._rises[self._open]
        return None if rise.duration_s < self.rule.min_duration_s - _SLACK_S else self._event(self._open, rise, age_ms)

    def _close(self, rises: dict[int, _Rise]) -> tuple[Event, ...]:
        """End the open event with the rise it had; its label has to rise again before it begins another."""
        if self._open is None:
            return ()
        index, self._open = self._open, None
        begun, self.ongoing = self.ongoing, None
        rise = rises[index]
        self._rises.pop(index, None)
        if begun is None:  # too short to count
            return ()
        event = self._event(index, rise, begun.age_ms)
        self._last_end_s = self._ended_s[index] = event.end_s
        return (event,)

    def _event(self, index: int, rise: _Rise, age_ms: float) -> Event:
        return Event(self.labels[index], rise.start_s, rise.end_s, rise.score, age_ms, self.model)
