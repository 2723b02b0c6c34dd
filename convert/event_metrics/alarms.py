"""Hits, misses, and false alarms by kind.

An event is a hit if it has the label of a true event and overlaps it, with a tolerance at both
ends, as `edgevid.events.timeline.match` defines it. Each true event has one hit at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convert.event_metrics.trace import Answered
from edgevid.events.decide import Event
from edgevid.events.timeline import EventScore, Interval, match, overlap_s


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """False alarms by kind; each is counted once.

    Attributes:
        duplicates: More events for a true event that has its hit.
        other_class: Events while something else happens.
        spurious: Events while nothing happens.
    """

    duplicates: int = 0
    other_class: int = 0
    spurious: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.duplicates + self.other_class + self.spurious


@dataclass(frozen=True, slots=True)
class Confusion:
    """Events of one label while another happened.

    Attributes:
        truth: What happened.
        event: What was said.
        count: How often.
    """

    truth: str
    event: str
    count: int


@dataclass(frozen=True)
class Alarms:
    """The events of a recording, matched with its truth.

    Attributes:
        score: Hits, misses and false alarms.
        kinds: Kind of each false alarm, and the true event that it is about; in their order.
    """

    score: EventScore
    kinds: tuple[tuple[str, Interval | None], ...]


def match_recording(answered: Answered, *, tolerance_s: float) -> Alarms:
    """Match the events of a recording with its truth.

    Args:
        answered: The recording.
        tolerance_s: Extension of each true event at both ends, in seconds.
    """
    score = match(answered.events, answered.truth, tolerance_s=tolerance_s)
    return Alarms(score, tuple(_kind(event, answered.truth, tolerance_s) for event in score.false_alarms))


def count_false_alarms(matched: Iterable[Alarms], *, label: str | None = None) -> FalseAlarms:
    """Count the false alarms of recordings.

    Args:
        matched: The recordings.
        label: Only events of this label; None for all.
    """
    kinds = Counter(
        kind
        for alarms in matched
        for event, (kind, _) in zip(alarms.score.false_alarms, alarms.kinds, strict=True)
        if label in (None, event.label)
    )
    return FalseAlarms(**kinds)


def confusions(matched: Iterable[Alarms]) -> tuple[Confusion, ...]:
    """Return what was said while something else happened, the most frequent first."""
    pairs = Counter(
        (real.label, event.label)
        for alarms in matched
        for event, (kind, real) in zip(alarms.score.false_alarms, alarms.kinds, strict=True)
        if kind == "other_class" and real is not None
    )
    return tuple(Confusion(truth, event, count) for (truth, event), count in pairs.most_common())


def _kind(event: Event, truth: Sequence[Interval], tolerance_s: float) -> tuple[str, Interval | None]:
    near = [
        real
        for real in truth
        if event.start_s <= real.end_s + tolerance_s and event.end_s >= real.start_s - tolerance_s
    ]
    own = next((real for real in near if real.label == event.label), None)
    if own is not None:
        return "duplicates", own
    # The one that it is most about.
    return ("other_class", max(near, key=lambda real: overlap_s(event, real))) if near else ("spurious", None)
