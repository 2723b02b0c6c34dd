"""From probabilities to events: smooth, enter high, leave low, drop what is too short.

A model's answer flickers from frame to frame. An event is one stretch of time in which one label held: its smoothed score reached
`enter`, then stayed at or above `exit`. One event is open at a time; another label that reaches `enter` and leads takes its place.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from edgevid.errors import ContractError
from edgevid.events.rule import DecisionRule

NO_VALUES: Mapping[str, Sequence[float]] = MappingProxyType({})
# What a decision is called whose best class is not good enough.
UNKNOWN = "unknown"
# Times are whole nanoseconds turned into float seconds, so 0.3 - 0.1 may fall short of 0.2.
_SLACK_S = 1e-6
_expm1, _reaches = math.expm1, operator.ge


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of time in which one label held.

    Attributes:
        label: Class of the event.
        start_s: When the smoothed score first reached `exit` on its way to `enter`, in seconds; never before the end of the previous event.
        end_s: Last time the smoothed score was at or above `exit`; the newest such time while the event is open.
        score: Highest smoothed score between the two, 0 to 1.
        age_ms: Age of the decision that made it an event; see `Decision.age_ms`.
        model: Name of the model.
        ended: False for the report of a start: the event is still open.
        values: What the model returned besides its scores with the decision that started or ended the event, by name.
    """

    label: str
    start_s: float
    end_s: float
    score: float
    age_ms: float = 0.0
    model: str = ""
    ended: bool = True
    values: Mapping[str, Sequence[float]] = field(default_factory=lambda: NO_VALUES, repr=False)


@dataclass(slots=True)  # created for every frame: a frozen one takes six times as long (3 us on x86)
class Decision:
    """The model's answer after one frame. Treat it as read-only.

    Attributes:
        t_s: Sensor time of the newest frame of the window, in seconds.
        label: The class with the highest probability, or "unknown" where that is below the rule's `unknown_below`.
        score: The highest probability, 0 to 1, as the model returned it, not smoothed.
        probabilities: One probability per class, in the order of `labels`.
        age_ms: Age of the answer when it was made: from sensor to decision for a live source, processing time for a file.
        labels: Every class of the model.
        model: Name of the model.
        values: What the model returned besides its scores, by name.
        events: Events that this decision ended.
        started: The event that this decision started, if any.
        ongoing: The event that is open now, if any; the same object as `started` in the decision that starts it.
    """

    t_s: float
    label: str
    score: float
    probabilities: Sequence[float] = field(repr=False)
    age_ms: float
    labels: tuple[str, ...] = field(default=(), repr=False)
    model: str = ""
    values: Mapping[str, Sequence[float]] = field(default_factory=lambda: NO_VALUES, repr=False)
    events: tuple[Event, ...] = ()
    started: Event | None = None
    ongoing: Event | None = None

    @property
    def scores(self) -> Mapping[str, float]:
        """Probability of each class, by label. A new dict at every access."""
        return dict(zip(self.labels, self.probabilities, strict=True))


class _Rise:
    """A label that is at or above its `exit`, since when, and the highest it was since then."""

    __slots__ = ("end_s", "score", "start_s")

    def __init__(self, t_s: float, score: float) -> None:
        self.start_s = self.end_s = t_s
        self.score = score

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
        own = {each.label: each for each in rule.thresholds}
        self._smoothing_s = rule.smoothing_s
        self._enter = [own[label].enter if label in own else rule.enter for label in self.labels]
        exits = [own[label].exit if label in own else rule.exit for label in self.labels]
        # The score below which each is no event; the background never is one.
        self._exits = [
            math.inf if label in rule.background else exits[index] for index, label in enumerate(self.labels)
        ]
        # Plain floats: for tens of classes a list is several times quicker than arrays, whose every call has a price.
        self._smoothed: list[float] = []
        self._rises: dict[int, _Rise] = {}
        self._ended_s: dict[int, float] = {}
        self._last_s: float | None = None
        self._last_end_s = -math.inf
        self._open: int | None = None

    def name(self, scores: Sequence[float]) -> tuple[str, float]:
        """Say which class one decision's scores are for.

        Args:
            scores: One probability a class, not smoothed.

        Returns:
            The label, or `UNKNOWN` where none reaches `unknown_below`, and the highest score.
        """
        score = max(scores)
        return self.labels[scores.index(score)] if score >= self.rule.unknown_below else UNKNOWN, score

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
        # No label that may be an event is at its `exit`: so it is most of the time, and then there is nothing to do.
        if not self._rises and not any(map(_reaches, self._smoothed, self._exits)):
            self.started, self._last_s = None, t_s
            return ()
        so_far = None if self._open is None else self._so_far(self._open)
        self._watch(t_s)
        leader = self._leader()
        ended = self._close(so_far) if self._is_over(leader) else ()
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
        ended = self._close(None if self._open is None else self._so_far(self._open))
        self.started = None
        self._last_s = None
        self._last_end_s = -math.inf
        self._rises = {}
        return ended

    def _smooth(self, t_s: float, scores: Sequence[float]) -> None:
        total = sum(scores)
        if len(scores) != len(self.labels) or total - total != 0.0:  # of infinity or NaN that is NaN
            raise ContractError(expected=f"{len(self.labels)} finite scores", got=len(scores), found=f"{scores}")
        if self._last_s is None:
            self._smoothed = list(scores)
            return
        if not t_s > self._last_s:
            raise ContractError(
                expected=f"a time after {self._last_s} s", got=t_s, found=f"{t_s} s", hint="Flush where time jumps."
            )
        weight = -_expm1((self._last_s - t_s) / self._smoothing_s) if self._smoothing_s else 1.0
        # Both are as long as the labels; to have zip() look costs as much as the rest.
        self._smoothed = [before + weight * (now - before) for before, now in zip(self._smoothed, scores)]  # noqa: B905

    def _watch(self, t_s: float) -> None:
        """Carry on, begin or end the rise of each label that may be an event; few are at or above their `exit`, of however many."""
        smoothed, rises = self._smoothed, self._rises
        for index, exit_score in enumerate(self._exits):
            score = smoothed[index]
            if score < exit_score or (self._ended_s and self._is_cooling(index, t_s)):
                if index in rises:
                    del rises[index]
            elif index in rises:
                rise = rises[index]
                rise.end_s, rise.score = t_s, max(rise.score, score)
            else:
                rises[index] = _Rise(t_s, score)

    def _is_cooling(self, index: int, t_s: float) -> bool:
        # A time before the label's last event means that the clock was set back, not that the label is cooling down.
        return 0 <= t_s - self._ended_s.get(index, math.inf) < self.rule.cooldown_s - _SLACK_S

    def _leader(self) -> int | None:
        """The label with the highest smoothed score of those that reach their `enter`."""
        leader: int | None = None
        for index in self._rises:
            score = self._smoothed[index]
            if score >= self._enter[index] and (leader is None or score > self._smoothed[leader]):
                leader = index
        return leader

    def _is_over(self, leader: int | None) -> bool:
        """Whether the open event ends: its score fell below `exit`, or another label leads."""
        return self._open is not None and (self._open not in self._rises or leader not in (None, self._open))

    def _announce(self, age_ms: float) -> None:
        """Bring `ongoing` and `started` up to date."""
        if self._open is None:
            self.started = None
            return
        before, rise = self.ongoing, self._rises[self._open]
        if before is None and rise.duration_s < self.rule.min_duration_s - _SLACK_S:
            self.started = None
            return
        self.ongoing = self._event(self._open, rise, age_ms if before is None else before.age_ms, ended=False)
        self.started = self.ongoing if before is None else None

    def _so_far(self, index: int) -> Event:
        """The open event as it was before this decision, which may be the one that ends it."""
        return self._event(index, self._rises[index], 0.0 if self.ongoing is None else self.ongoing.age_ms, ended=True)

    def _close(self, event: Event | None) -> tuple[Event, ...]:
        """End the open event; its label has to rise again before it begins another."""
        if self._open is None or event is None:
            return ()
        index, self._open = self._open, None
        begun, self.ongoing = self.ongoing, None
        self._rises.pop(index, None)
        if begun is None:  # too short to count
            return ()
        self._last_end_s = self._ended_s[index] = event.end_s
        return (event,)

    def _event(self, index: int, rise: _Rise, age_ms: float, *, ended: bool) -> Event:
        return Event(self.labels[index], rise.start_s, rise.end_s, rise.score, age_ms, self.model, ended)
