"""The decider: smoothing, two thresholds and a minimum duration turn probabilities into events.

A model's answer flickers from frame to frame. An event is a stretch of time in which one label
holds: its smoothed score reached `enter` and then stayed at or above `exit`. One event is open at a
time. It ends if another label leads and reaches its own `enter`.

A model answers with an action when about half of its window shows it, and still does when half no
longer does. So the score rises and falls later than the action begins and ends. The decider takes
that delay off: an event lies where the action was, and `announced_s` tells when that was known.
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
NO_COUNTS: Mapping[str, int] = MappingProxyType({})
# Label of a decision whose best class is below the rule's `unknown_below`.
UNKNOWN = "unknown"
# Times are nanoseconds converted to float seconds, so 0.3 - 0.1 may fall short of 0.2.
_SLACK_S = 1e-6
# Global names, since they run for every frame: an attribute of a module takes a second look-up.
_expm1, _reaches = math.expm1, operator.ge


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of time in which one label held.

    Attributes:
        label: Class of the event.
        start_s: Estimated sensor time in seconds at which the action began: the smoothed score
            first reached `exit` on its way to `enter`, less the label's delay at the start. Never
            before the end of the previous event or the first frame.
        end_s: Estimated sensor time in seconds at which the action ended: the last time at which
            the smoothed score was at or above `exit`, less the label's delay at the end. For an
            open event, the last one so far.
        score: Highest smoothed score of the event, 0 to 1.
        age_ms: Age of the decision that started the event, see `Decision.age_ms`.
        model: Name of the model.
        ended: False if the event is still open, as in `started` and `ongoing`.
        values: The model's outputs besides its scores, by name, from the decision that started or
            ended the event.
        announced_s: Sensor time in seconds of the decision that started the event.
    """

    label: str
    start_s: float
    end_s: float
    score: float
    age_ms: float = 0.0
    model: str = ""
    ended: bool = True
    values: Mapping[str, Sequence[float]] = field(default_factory=lambda: NO_VALUES, repr=False)
    announced_s: float = 0.0


# Not frozen: one is created per frame, and a frozen dataclass takes six times as long (3 us on x86).
@dataclass(slots=True)
class Decision:
    """The model's answer after one frame. Treat it as read-only.

    Attributes:
        t_s: Sensor time of the newest frame in the window, in seconds.
        label: The class with the highest probability, or "unknown" if that is below the rule's
            `unknown_below`.
        score: The highest probability, 0 to 1, not smoothed.
        probabilities: One probability per class, 0 to 1, in the order of `labels`.
        age_ms: Age of the answer: time from sensor to decision for a live source, processing time
            for a file.
        labels: All classes of the model.
        model: Name of the model.
        values: The model's outputs besides its scores, by name.
        events: Events that this decision ended.
        started: The event that this decision started, if any.
        ongoing: The open event, if any; the same object as `started` in the decision that starts it.
        counts: Repetitions so far by what is counted, of a run that counts; see `edgevid.count`.
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
    counts: Mapping[str, int] = field(default_factory=lambda: NO_COUNTS, repr=False)

    @property
    def scores(self) -> Mapping[str, float]:
        """Probability of each class by label; a new dict at every access."""
        return dict(zip(self.labels, self.probabilities, strict=True))


class _Rise:
    """A stretch of time in which a label is at or above its `exit`, and its highest score in it."""

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
        labels: One label per class, in the order of the scores.
        rule: Thresholds and times.
        model: Name of the model in the events.
        delay_s: How much later than an action its score rises and falls, in seconds, for labels
            without a delay in the rule.

    Attributes:
        began_s: Sensor time of the first frame that the scores are about; None for that of the
            first scores. `flush` forgets it.
        ongoing: The open event, from `min_duration_s` on: a shorter one may still be dropped.
        free_s: Time from which on the open label could rise: after the event before, and its cooldown.
        opened_s: Time at which the smoothed score of the open label reached `enter`.
        started: `ongoing` if the last update made it an event, else None. Every event starts once
            before it ends.
    """

    def __init__(self, labels: Sequence[str], rule: DecisionRule, *, model: str = "", delay_s: float = 0.0) -> None:
        self.labels = tuple(labels)
        self.rule = rule
        self.model = model
        self.began_s: float | None = None
        self.free_s = self.opened_s = -math.inf
        self.ongoing: Event | None = None
        self.started: Event | None = None
        own = {each.label: each for each in rule.thresholds}
        self._smoothing_s = rule.smoothing_s
        self._enter = [own[label].enter if label in own else rule.enter for label in self.labels]
        exits = [own[label].exit if label in own else rule.exit for label in self.labels]
        # A threshold that no score reaches keeps the background from being an event.
        self._exits = [
            math.inf if label in rule.background else exits[index] for index, label in enumerate(self.labels)
        ]
        late = {each.label: (each.start_s, each.end_s) for each in rule.delays}
        self._delays_s = [late.get(label, (delay_s, delay_s)) for label in self.labels]
        self._slowdown = 1
        # Lists of floats: for tens of classes they are several times faster than numpy, with its
        # cost per call.
        self._smoothed: list[float] = []
        self._rises: dict[int, _Rise] = {}
        self._ended_s: dict[int, float] = {}
        self._last_s: float | None = None
        # Where the score of the last event fell, and where its action is said to have ended.
        self._last_fall_s = self._last_end_s = -math.inf
        self._open: int | None = None

    @property
    def longest_delay_s(self) -> float:
        """The largest delay at the start of an action, in seconds; 0 or more."""
        return max(0.0, *(start_s for start_s, _ in self._delays_s))

    def name(self, scores: Sequence[float]) -> tuple[str, float]:
        """Return the label and score of a decision.

        Args:
            scores: One probability per class, not smoothed.

        Returns:
            The best label, or `UNKNOWN` if its score is below `unknown_below`; and its score.
        """
        score = max(scores)
        return self.labels[scores.index(score)] if score >= self.rule.unknown_below else UNKNOWN, score

    def update(self, t_s: float, scores: Sequence[float], *, age_ms: float = 0.0) -> tuple[Event, ...]:
        """Process the scores of one decision.

        Args:
            t_s: Sensor time in seconds, later than that of the last call. If time jumps, call
                `flush` before.
            scores: One finite probability per class; a list is faster than an array.
            age_ms: Age of the decision; an event that it starts keeps it.

        Returns:
            The events that this decision ended, usually none.

        Raises:
            ContractError: If the number of scores is wrong, a score is not finite, or time does not advance.
        """
        self._smooth(t_s, scores)
        # The usual case: no label is at its `exit`, so there is nothing to begin, continue or end.
        if not self._rises and not any(map(_reaches, self._smoothed, self._exits)):
            self.started, self._last_s = None, t_s
            return ()
        # Before the rises change: this decision may end the event, whose end is the last time
        # before it.
        before = self._height()
        self._update_rises(t_s)
        leader = self._leader()
        ended = self._close(self._so_far(t_s, *before)) if self._is_over(leader) else ()
        if self._open is None and leader is not None:
            self._open, self.opened_s = leader, t_s
            self.free_s = max(self._last_fall_s, self._ended_s.get(leader, -math.inf) + self.rule.cooldown_s)
            # The leader may have risen while the last event was open; events must not overlap.
            self._rises[leader].start_s = max(self._rises[leader].start_s, self._last_fall_s)
        self._announce(t_s, age_ms)
        self._last_s = t_s
        return ended

    def flush(self) -> tuple[Event, ...]:
        """End the open event and forget the smoothed scores. Call it at the end of a stream and at a gap.

        Returns:
            The open event, if it lasted `min_duration_s`.
        """
        ended = () if self._last_s is None else self._close(self._so_far(self._last_s, *self._height()))
        self.started = self._last_s = self.began_s = None
        self._last_fall_s = self._last_end_s = -math.inf
        self._rises = {}
        return ended

    def slow_down(self, times: int) -> None:
        """Subtract a multiple of the delays, because windows last that much longer. Flush before.

        Args:
            times: Length of a window as a multiple of the one in training, at least 1.
        """
        self._slowdown = times

    def _smooth(self, t_s: float, scores: Sequence[float]) -> None:
        total = sum(scores)
        # The difference is NaN if any score is infinite or NaN; cheaper than a test of each.
        if len(scores) != len(self.labels) or total - total != 0.0:
            raise ContractError(expected=f"{len(self.labels)} finite scores", got=len(scores), found=str(scores))
        if self._last_s is None:
            self._smoothed = list(scores)
            if self.began_s is None:
                self.began_s = t_s
            return
        if not t_s > self._last_s:
            raise ContractError(
                expected=f"a time after {self._last_s} s", got=t_s, found=f"{t_s} s", hint="Flush where time jumps."
            )
        # 1 - exp(-dt / smoothing): the same decay per second at any frame rate.
        weight = -_expm1((self._last_s - t_s) / self._smoothing_s) if self._smoothing_s else 1.0
        # Both have one entry per label. With strict=True, zip() costs as much as the rest of the line.
        self._smoothed = [before + weight * (now - before) for before, now in zip(self._smoothed, scores)]  # noqa: B905

    def _update_rises(self, t_s: float) -> None:
        """Begin, extend or end the rise of each label."""
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
        # A negative difference means that the clock was set back: no cooldown then.
        return 0 <= t_s - self._ended_s.get(index, math.inf) < self.rule.cooldown_s - _SLACK_S

    def _leader(self) -> int | None:
        """Return the index of the highest smoothed score among the labels at or above their `enter`."""
        leader: int | None = None
        for index in self._rises:
            score = self._smoothed[index]
            if score >= self._enter[index] and (leader is None or score > self._smoothed[leader]):
                leader = index
        return leader

    def _is_over(self, leader: int | None) -> bool:
        """Return whether the open event ends: its score fell below `exit`, or another label leads."""
        return self._open is not None and (self._open not in self._rises or leader not in (None, self._open))

    def _announce(self, t_s: float, age_ms: float) -> None:
        """Update `ongoing` and `started`."""
        self.started = None
        if self._open is None:
            return
        rise = self._rises[self._open]
        if self.ongoing is not None:
            self.ongoing = self._continued(self.ongoing, rise.end_s, rise.score, t_s, ended=False)
        elif rise.duration_s >= self.rule.min_duration_s - _SLACK_S:
            self.ongoing = self.started = self._begun(rise, t_s, age_ms)

    def _height(self) -> tuple[float, float]:
        """Return the last time and the highest score of the open label's rise; anything if no label is open."""
        if self._open is None:
            return 0.0, 0.0
        return (rise := self._rises[self._open]).end_s, rise.score

    def _so_far(self, t_s: float, fell_s: float, score: float) -> Event | None:
        """Return the open event with the end and score of its rise, if it lasted long enough."""
        if self._open is None or self.ongoing is None:
            return None
        return self._continued(self.ongoing, fell_s, score, t_s, ended=True)

    def _close(self, event: Event | None) -> tuple[Event, ...]:
        """End the open event; return it if it lasted long enough."""
        if self._open is None:
            return ()
        index, self._open, self.ongoing = self._open, None, None
        # The label must rise again before it begins another event.
        self._rises.pop(index, None)
        if event is None or self._last_s is None:
            return ()
        # An open label was at or above its exit in every decision up to the last one.
        self._last_fall_s = self._ended_s[index] = self._last_s
        self._last_end_s = event.end_s
        return (event,)

    def _begun(self, rise: _Rise, t_s: float, age_ms: float) -> Event:
        """Return the event of a rise that has become long enough."""
        assert self._open is not None
        delay_s = self._delays_s[self._open][0] * self._slowdown
        earliest_s = self._last_end_s if self.began_s is None else max(self._last_end_s, self.began_s)
        # The bounds only bind for a rise near another event, and for delays below 0.
        start_s = min(max(rise.start_s - delay_s, earliest_s), t_s)
        event = Event(self.labels[self._open], start_s, start_s, rise.score, age_ms, self.model, False, announced_s=t_s)
        return self._continued(event, rise.end_s, rise.score, t_s, ended=False)

    def _continued(self, event: Event, fell_s: float, score: float, t_s: float, *, ended: bool) -> Event:
        """Return an event with the end and score of its rise so far, as known at a time."""
        assert self._open is not None
        delay_s = self._delays_s[self._open][1] * self._slowdown
        end_s = max(min(fell_s - delay_s, t_s), event.start_s)
        return Event(
            event.label, event.start_s, end_s, score, event.age_ms, event.model, ended, event.values, event.announced_s
        )
