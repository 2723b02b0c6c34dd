"""Events of a bundle, compared with those of the trained model, on recordings written by hand."""

from __future__ import annotations

import dataclasses

import pytest

from convert.event_metrics import Answered
from convert.verification.budget import Budget
from convert.verification.event_drift import EventDrift, Occurrence, compare_events
from edgevid.events.decide import Event
from tests.convert.event_metrics.recordings import recording

TRUTH = [("a", 10.0, 12.0), ("b", 20.0, 22.0), ("a", 30.0, 32.0)]


def heard(*events: tuple[str, float, float], late_s: float = 0.0, name: str = "day/1.mp4") -> Answered:
    answered = recording(TRUTH, events, duration_s=1800.0)
    moved: tuple[Event, ...] = tuple(
        dataclasses.replace(event, announced_s=event.announced_s + late_s) for event in answered.events
    )
    return dataclasses.replace(answered, name=name, events=moved)


def drift_of(before: Answered, after: Answered) -> EventDrift:
    return compare_events([before], [after], tolerance_s=0.5)


def test_each_event_that_only_one_of_them_finds_is_counted_for_itself() -> None:
    drift = drift_of(heard(("a", 10, 12), ("b", 20, 22)), heard(("a", 10, 12), ("a", 30, 32)))
    assert (drift.events, drift.found_float, drift.found_bundle) == (3, 2, 2)
    assert (drift.lost, drift.won) == (1, 1)
    assert drift.lost_events == (Occurrence(recording="day/1.mp4", label="b", start_s=20.0, end_s=22.0),)


def test_the_same_times_in_another_recording_are_another_event() -> None:
    full, empty = heard(("a", 10, 12)), heard()
    other = [dataclasses.replace(each, name="day/2.mp4") for each in (full, empty)]
    drift = compare_events([full, other[1]], [empty, other[0]], tolerance_s=0.5)
    assert (drift.recordings, drift.lost, drift.won) == (2, 1, 1)


def test_false_alarms_are_compared_an_hour_and_those_of_both_are_not_listed() -> None:
    before = heard(("b", 40, 41), ("a", 50, 51))
    after = heard(("b", 40.5, 41.5), ("b", 50, 51), ("a", 60, 61))
    drift = drift_of(before, after)
    assert (drift.hours, drift.false_float, drift.false_bundle) == (0.5, 2, 3)
    assert drift.extra_false_per_hour == pytest.approx(2.0)
    assert [(each.label, each.start_s) for each in drift.new_false_alarms] == [("b", 50), ("a", 60)]


def test_the_delay_is_that_of_events_which_both_find() -> None:
    assert drift_of(
        heard(("a", 10, 12), ("b", 20, 22)), heard(("b", 20, 22), ("a", 30, 32), late_s=0.3)
    ).later_ms == pytest.approx(300)
    assert drift_of(heard(("a", 10, 12)), heard(("b", 20, 22))).later_ms is None


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        ({}, ""),
        ({"max_missed_events": 1}, ""),
        ({"max_missed_events": 0}, "misses 1 of 2 events that the trained model finds, more than 0"),
        ({"max_extra_false_per_hour": 2.0}, ""),
        ({"max_extra_false_per_hour": 1.5}, "1 more false alarm in 0.5 h, 2 an hour, more than 1.5"),
    ],
)
def test_a_budget_limits_what_is_lost_and_what_is_said_in_vain(limits: dict[str, int], broken: str) -> None:
    drift = drift_of(heard(("a", 10, 12), ("b", 20, 22)), heard(("a", 10, 12), ("b", 50, 51)))
    assert Budget(max_drop=1, min_agreement=0.98, **limits).broken_events(drift) == broken


def test_fewer_false_alarms_keep_any_budget() -> None:
    drift = drift_of(heard(("b", 50, 51)), heard())
    assert Budget(max_drop=1, min_agreement=0.98, max_extra_false_per_hour=0).broken_events(drift) == ""
