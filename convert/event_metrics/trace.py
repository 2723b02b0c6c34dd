"""The scores of a model over a recording, and the events that a rule makes of them.

Scores are computed once. Every rule is then tried on them, which takes a thousandth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgevid.events.decide import Decider, Event
from edgevid.events.timeline import Interval
from edgevid.frames import Array


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording without a gap.

    Attributes:
        first: Index of its first decision.
        began_s: Time of its first frame, in seconds.
    """

    first: int
    began_s: float


@dataclass(frozen=True, kw_only=True)
class ScoreTrace:
    """The answers of a model over one recording.

    Attributes:
        times_s: (N,) float64, time of each decision in seconds, ascending within a segment.
        scores: (N, classes) float64, probabilities.
        segments: Where the window began anew, in order.
        duration_s: Time of the end of the last frame, in seconds; above 0.
    """

    times_s: Array
    scores: Array
    segments: tuple[Segment, ...]
    duration_s: float

    def pieces(self) -> list[tuple[Segment, slice]]:
        """Return each segment with the decisions in it; nothing without decisions."""
        if not self.segments:
            return []
        ends = [*(segment.first for segment in self.segments[1:]), len(self.times_s)]
        return [(segment, slice(segment.first, end)) for segment, end in zip(self.segments, ends, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A recording with its truth and what a model said about it.

    Attributes:
        name: The recording, for people.
        truth: What happens in it, ordered by start, without background.
        trace: The model's scores.
        events: The events that the rule made of them.
        group: See `convert.recordings.Recording`.
        condition: See `convert.recordings.Recording`.
    """

    name: str
    truth: tuple[Interval, ...]
    trace: ScoreTrace
    events: tuple[Event, ...]
    group: str = ""
    condition: str = ""


def replay(trace: ScoreTrace, decider: Callable[[], Decider]) -> tuple[Event, ...]:
    """Return the events of a recording, exactly as the device reports them.

    Args:
        trace: The scores.
        decider: Returns a new decider.
    """
    own = decider()
    return tuple(event for ended in _updates(trace, own) for event in ended)


@dataclass(frozen=True, slots=True)
class Opening:
    """How an event came about.

    Attributes:
        free_s: From when on its label could rise, in seconds: after the event before, its cooldown
            and the last gap.
        opened_s: When its smoothed score reached `enter`.
    """

    free_s: float
    opened_s: float


def openings(trace: ScoreTrace, decider: Callable[[], Decider]) -> dict[float, Opening]:
    """Return how each event of a recording came about, by the time of its announcement.

    Args:
        trace: The scores.
        decider: Returns a new decider.
    """
    own, found = decider(), dict[float, Opening]()
    for _ in _updates(trace, own):
        if own.started is not None and own.began_s is not None:
            found[own.started.announced_s] = Opening(max(own.free_s, own.began_s), own.opened_s)
    return found


def _updates(trace: ScoreTrace, decider: Decider) -> Iterator[tuple[Event, ...]]:
    """Yield the events that ended with each decision and at each gap."""
    rows: list[list[float]] = trace.scores.tolist()
    times_s: list[float] = trace.times_s.tolist()
    for segment, piece in trace.pieces():
        decider.began_s = segment.began_s
        for t_s, row in zip(times_s[piece], rows[piece], strict=True):
            yield decider.update(t_s, row)
        yield decider.flush()


def truth_at(times_s: Array, truth: Sequence[Interval]) -> list[str]:
    """Return the label that is true at each time, "" for none.

    Args:
        times_s: (N,) times in seconds.
        truth: Intervals that do not overlap.
    """
    labels = np.full(len(times_s), "", dtype=object)
    for real in truth:
        labels[(times_s >= real.start_s) & (times_s <= real.end_s)] = real.label
    return [str(label) for label in labels]
