"""Comparison of events with a truth: matches, misses and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edgevid.events.decide import Event
from edgevid.tables import table

# People place starts and ends differently, and the delay that is taken off an event is an estimate.
TOLERANCE_S = 0.5
_S_PER_H = 3600


class Interval(Protocol):
    """A label with start and end, as in the truth of a clip; `synthetic.gestures.Gesture` is one."""

    @property
    def label(self) -> str:
        """A label of the model."""
        ...

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        ...

    @property
    def end_s(self) -> float:
        """End in seconds."""
        ...


@dataclass(frozen=True)
class EventScore:
    """The result of comparing events with a truth.

    Attributes:
        matched: Pairs of a true interval and its event, in order of time.
        missed: True intervals without an event, in order of time.
        false_alarms: Events without a true interval, in order of time.
    """

    matched: tuple[tuple[Interval, Event], ...]
    missed: tuple[Interval, ...]
    false_alarms: tuple[Event, ...]

    @property
    def precision(self) -> float:
        """Fraction of the events with a true interval; 1 without events."""
        return _fraction(len(self.matched), len(self.false_alarms))

    @property
    def recall(self) -> float:
        """Fraction of the true intervals with an event; 1 without true intervals."""
        return _fraction(len(self.matched), len(self.missed))

    @property
    def f1_50(self) -> float:
        """F1 of events that overlap a true interval by at least half, see `overlapping`; 1 without both."""
        events = [*(event for _, event in self.matched), *self.false_alarms]
        truth = [*(real for real, _ in self.matched), *self.missed]
        count = len(events) + len(truth)
        return 2 * overlapping(events, truth, 0.5) / count if count else 1.0


def _fraction(hits: int, others: int) -> float:
    return hits / (hits + others) if hits + others else 1.0


def match(events: Sequence[Event], truth: Sequence[Interval], *, tolerance_s: float = TOLERANCE_S) -> EventScore:
    """Match events with true intervals.

    A match has equal labels and overlaps in time, or does after extending the true interval by the
    tolerance at both ends; pairs that overlap as they are come first. Each is matched at most once:
    a second event for one true interval is a false alarm.

    Args:
        events: The reported events; those of one label do not overlap each other.
        truth: The true intervals.
        tolerance_s: Extension of each true interval, in seconds.
    """
    waiting, reals = sorted(events, key=_start), sorted(truth, key=_start)
    matched: list[tuple[Interval, Event]] = []
    # What overlaps as it is belongs together before what is near.
    for slack_s in (0.0, tolerance_s):
        for real in list(reals):
            # The earliest event; a later one may match the next interval of the same label.
            event = next((each for each in waiting if _reports(each, real, slack_s)), None)
            if event is not None:
                waiting.remove(event)
                reals.remove(real)
                matched.append((real, event))
    matched.sort(key=lambda pair: pair[0].start_s)
    return EventScore(tuple(matched), tuple(reals), tuple(waiting))


def _start(interval: Interval) -> float:
    return interval.start_s


def _reports(event: Event, real: Interval, tolerance_s: float) -> bool:
    return (
        event.label == real.label
        and event.start_s <= real.end_s + tolerance_s
        and event.end_s >= real.start_s - tolerance_s
    )


def overlap_s(one: Interval, other: Interval) -> float:
    """Return the time that two intervals share, in seconds."""
    return max(0.0, min(one.end_s, other.end_s) - max(one.start_s, other.start_s))


def iou(one: Interval, other: Interval) -> float:
    """Return the time that two intervals share over the time that either covers; 0 if both are empty."""
    shared_s = overlap_s(one, other)
    covered_s = (one.end_s - one.start_s) + (other.end_s - other.start_s) - shared_s
    return shared_s / covered_s if covered_s > 0 else 0.0


def overlapping(events: Sequence[Interval], truth: Sequence[Interval], threshold: float) -> int:
    """Count the events that lie where something happened.

    An event counts if its best true interval of the same label overlaps it enough, and no other
    event has that one already. Source: Lea et al., "Temporal convolutional networks for action
    segmentation and detection", CVPR 2017.

    Args:
        events: The reported events.
        truth: The true intervals.
        threshold: Least intersection over union, above 0, to 1.
    """
    hit: set[int] = set()
    for event in events:
        overlaps = [iou(event, real) if event.label == real.label else 0.0 for real in truth]
        best = max(range(len(overlaps)), key=overlaps.__getitem__, default=-1)
        if best >= 0 and overlaps[best] >= threshold:
            hit.add(best)
    return len(hit)


def rows(score: EventScore) -> list[tuple[str, ...]]:
    """Return truth and events side by side, in order of time.

    Returns:
        A heading, and one row per match, miss and false alarm, with the verdict in the last cell.
    """
    timed = [(real.start_s, _row(real, event, "right")) for real, event in score.matched]
    timed += [(real.start_s, _row(real, None, "missed")) for real in score.missed]
    timed += [(event.start_s, _row(None, event, "false alarm")) for event in score.false_alarms]
    heading = ("truth", "from s", "to s", "event", "from s", "to s", "score", "")
    return [heading, *(row for _, row in sorted(timed, key=lambda each: each[0]))]


def as_table(score: EventScore) -> str:
    """Return `rows` as a plain-text table, without a final newline."""
    return table(rows(score))


def summary(score: EventScore, *, duration_s: float) -> str:
    """Return precision, recall, F1@50 and false alarms an hour with their counts, in one line.

    Args:
        score: The comparison.
        duration_s: Length of the stream in seconds, above 0.
    """
    right = len(score.matched)
    events, truth = right + len(score.false_alarms), right + len(score.missed)
    return (
        f"Event precision {score.precision:.3f} ({right} of {events} events), "
        f"recall {score.recall:.3f} ({right} of {truth} in truth), F1@50 {score.f1_50:.3f}, "
        f"false alarms an hour {len(score.false_alarms) * _S_PER_H / duration_s:.3g} "
        f"({len(score.false_alarms)} in {duration_s:.0f} s)"
    )


def as_json(score: EventScore, *, duration_s: float) -> dict[str, object]:
    """Return the numbers of `summary` and the three lists, as `json.dumps` accepts them.

    Args:
        score: The comparison.
        duration_s: Length of the stream in seconds, above 0.
    """
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f1_50": score.f1_50,
        "false_per_hour": len(score.false_alarms) * _S_PER_H / duration_s,
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
    return {**_interval(event), "announced_s": event.announced_s, "score": event.score}
