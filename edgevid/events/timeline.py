"""Events beside the truth: which were right, which were missed, which were false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgevid.events.decide import Event
from edgevid.tables import table

# A window's answer changes when about half of the window shows the new thing, and smoothing adds to that.
TOLERANCE_S = 0.5


class Interval(Protocol):
    """A label that really held for a time; `gestures.Gesture` is one."""

    @property
    def label(self) -> str:
        """What it was."""
        ...

    @property
    def start_s(self) -> float:
        """When it began."""
        ...

    @property
    def end_s(self) -> float:
        """When it ended."""
        ...


@dataclass(frozen=True)
class EventScore:
    """How well events tell the truth.

    Attributes:
        matched: Truth and the event that reported it, in order.
        missed: Truth that no event reported, in order.
        false_alarms: Events that report nothing that was there, in order.
    """

    matched: tuple[tuple[Interval, Event], ...]
    missed: tuple[Interval, ...]
    false_alarms: tuple[Event, ...]

    @property
    def precision(self) -> float:
        """Fraction of the events that were right; 1 where there is none."""
        return _fraction(len(self.matched), len(self.false_alarms))

    @property
    def recall(self) -> float:
        """Fraction of the truth that was reported; 1 where there is none."""
        return _fraction(len(self.matched), len(self.missed))


def _fraction(hits: int, others: int) -> float:
    return hits / (hits + others) if hits + others else 1.0


def match(events: Sequence[Event], truth: Sequence[Interval], *, tolerance_s: float = TOLERANCE_S) -> EventScore:
    """Pair events with the truth.

    A pair has one label and overlaps in time, the truth being extended by the tolerance at both ends. Each is paired once: a second event
    for the same stretch of truth is a false alarm.

    Args:
        events: What was reported; events of one label do not overlap each other.
        truth: What really was.
        tolerance_s: Time by which an event may lie beside the truth.

    Returns:
        The pairs and what is left over.
    """
    waiting = sorted(events, key=lambda event: event.start_s)
    matched: list[tuple[Interval, Event]] = []
    missed: list[Interval] = []
    for real in sorted(truth, key=lambda interval: interval.start_s):
        found = next((event for event in waiting if _reports(event, real, tolerance_s)), None)
        if found is None:
            missed.append(real)
        else:
            waiting.remove(found)
            matched.append((real, found))
    return EventScore(tuple(matched), tuple(missed), tuple(waiting))


def _reports(event: Event, real: Interval, tolerance_s: float) -> bool:
    return (
        event.label == real.label
        and event.start_s <= real.end_s + tolerance_s
        and event.end_s >= real.start_s - tolerance_s
    )


def rows(score: EventScore) -> list[tuple[str, ...]]:
    """Put truth and events side by side, in order of time.

    Args:
        score: What `match` gave.

    Returns:
        A heading, and a row for each pair, missed truth and false alarm, which says in its last cell which it is.
    """
    found = [(real.start_s, _row(real, event, "right")) for real, event in score.matched]
    found += [(real.start_s, _row(real, None, "missed")) for real in score.missed]
    found += [(event.start_s, _row(None, event, "false alarm")) for event in score.false_alarms]
    heading = ("truth", "from s", "to s", "event", "from s", "to s", "score", "")
    return [heading, *(row for _, row in sorted(found, key=lambda each: each[0]))]


def as_table(score: EventScore) -> str:
    """Lay `rows` out as text.

    Args:
        score: What `match` gave.

    Returns:
        Lines without an end of line.
    """
    return table(rows(score))


def summary(score: EventScore) -> str:
    """Say how well events tell the truth, in one line.

    Args:
        score: What `match` gave.

    Returns:
        Counts, precision and recall.
    """
    right, reported = len(score.matched), len(score.matched) + len(score.false_alarms)
    there = right + len(score.missed)
    return f"Event precision {score.precision:.3f} ({right} of {reported} events), recall {score.recall:.3f} ({right} of {there} in truth)"


def as_json(score: EventScore) -> dict[str, object]:
    """Give the same as data.

    Args:
        score: What `match` gave.

    Returns:
        What `json.dumps` takes: precision, recall, and the three lists.
    """
    return {
        "precision": score.precision,
        "recall": score.recall,
        "matched": [{"truth": _interval(real), "event": _event(event)} for real, event in score.matched],
        "missed": [_interval(real) for real in score.missed],
        "false_alarms": [_event(event) for event in score.false_alarms],
    }


def _row(real: Interval | None, event: Event | None, verdict: str) -> tuple[str, ...]:
    return (*_cells(real), *_cells(event), "" if event is None else f"{event.score:.2f}", verdict)


def _cells(interval: Interval | None) -> tuple[str, str, str]:
    return ("", "", "") if interval is None else (interval.label, f"{interval.start_s:.2f}", f"{interval.end_s:.2f}")


def _interval(interval: Interval) -> dict[str, object]:
    return {"label": interval.label, "start_s": interval.start_s, "end_s": interval.end_s}


def _event(event: Event) -> dict[str, object]:
    return {**_interval(event), "score": event.score}
