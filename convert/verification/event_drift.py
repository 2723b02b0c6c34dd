"""The events that a bundle finds in long recordings, compared with those of the trained model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from convert.event_metrics import Answered
from convert.event_metrics.alarms import Alarms, match_recording
from edgevid.bundle import Bundle
from edgevid.events.decide import Event
from edgevid.events.timeline import Interval, overlap_s
from edgevid.frames import Array

# Enough to look at. A bundle that differs more often is wrong in a way that the counts show.
_MOST_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """An event of a recording.

    Attributes:
        recording: The recording, as its truth names it.
        label: The class.
        start_s: Start in seconds of the recording.
        end_s: End in seconds of the recording.
    """

    recording: str
    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class EventDrift:
    """What the precision of a bundle changes in the events of long recordings.

    Attributes:
        recordings: Number of recordings.
        hours: Their length.
        events: True events.
        found_float: True events that the trained model finds.
        found_bundle: True events that the bundle finds.
        lost: True events that only the trained model finds.
        won: True events that only the bundle finds.
        false_float: False alarms of the trained model.
        false_bundle: False alarms of the bundle.
        extra_false_per_hour: False alarms of the bundle less those of the trained model, an hour.
        later_ms: Mean time by which the bundle announces events later that both find; null without any.
        lost_events: The first of the lost events.
        new_false_alarms: The first false alarms of the bundle while the trained model has none of the class.
    """

    recordings: int
    hours: float
    events: int
    found_float: int
    found_bundle: int
    lost: int
    won: int
    false_float: int
    false_bundle: int
    extra_false_per_hour: float
    later_ms: float | None
    lost_events: tuple[Occurrence, ...]
    new_false_alarms: tuple[Occurrence, ...]


class EventProof(Protocol):
    """Watches long recordings with the trained model, and then with each bundle.

    `convert.stream_evaluation.event_proof.RecordedEvents` implements it.
    """

    def watch_trained(self, score: Callable[[Array], Array]) -> None:
        """Find the events of the trained model.

        Args:
            score: From prepared frames (N, *frame), N at least a window, to the probabilities of
                every window, (N - T + 1, classes).
        """
        ...

    def compare(self, bundle: Bundle) -> EventDrift:
        """Find the events of a bundle, and compare them with those of the trained model."""
        ...


def compare_events(trained: Sequence[Answered], converted: Sequence[Answered], *, tolerance_s: float) -> EventDrift:
    """Compare the events of a bundle with those of the trained model.

    Args:
        trained: Recordings with the events of the trained model.
        converted: The same recordings with the events of the bundle.
        tolerance_s: Time by which an event may miss a true one and still be its hit.
    """
    matched = [match_recording(each, tolerance_s=tolerance_s) for each in trained]
    matched_after = [match_recording(each, tolerance_s=tolerance_s) for each in converted]
    names = [each.name for each in trained]
    hits_before, hits_after = _hits(names, matched), _hits(names, matched_after)
    lost = [key for key in hits_before if key not in hits_after]
    later_s = [
        hits_after[key].announced_s - event.announced_s for key, event in hits_before.items() if key in hits_after
    ]
    false_before, false_after = _false_alarms(names, matched), _false_alarms(names, matched_after)
    new = [(name, event) for name, event in false_after if not _is_among(name, event, false_before)]
    hours = sum(each.trace.duration_s for each in trained) / 3600
    return EventDrift(
        recordings=len(trained),
        hours=hours,
        events=sum(len(each.truth) for each in trained),
        found_float=len(hits_before),
        found_bundle=len(hits_after),
        lost=len(lost),
        won=sum(key not in hits_before for key in hits_after),
        false_float=len(false_before),
        false_bundle=len(false_after),
        extra_false_per_hour=(len(false_after) - len(false_before)) / hours,
        later_ms=1000 * sum(later_s) / len(later_s) if later_s else None,
        lost_events=tuple(_occurrence(name, real) for name, real in lost[:_MOST_LISTED]),
        new_false_alarms=tuple(_occurrence(name, event) for name, event in new[:_MOST_LISTED]),
    )


def _hits(names: Sequence[str], matched: Sequence[Alarms]) -> dict[tuple[str, Interval], Event]:
    """Return the event of each true one that was found, in order of time."""
    return {
        (name, real): event for name, alarms in zip(names, matched, strict=True) for real, event in alarms.score.matched
    }


def _false_alarms(names: Sequence[str], matched: Sequence[Alarms]) -> list[tuple[str, Event]]:
    return [(name, event) for name, alarms in zip(names, matched, strict=True) for event in alarms.score.false_alarms]


def _is_among(name: str, event: Event, others: Sequence[tuple[str, Event]]) -> bool:
    return any(
        (name, event.label) == (other_name, other.label) and overlap_s(event, other) > 0 for other_name, other in others
    )


def _occurrence(name: str, interval: Interval) -> Occurrence:
    return Occurrence(recording=name, label=interval.label, start_s=interval.start_s, end_s=interval.end_s)
