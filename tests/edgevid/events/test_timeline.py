"""Events compared with a truth."""

from __future__ import annotations

import pytest

from edgevid.events.decide import Event
from edgevid.events.timeline import as_json, as_table, match, summary
from edgevid.synthetic.gestures import Gesture


def event(label: str, start_s: float, end_s: float, score: float = 0.9) -> Event:
    return Event(label, start_s, end_s, score)


@pytest.mark.parametrize(
    ("events", "truth", "counts"),
    [
        pytest.param([], [], (0, 0, 0), id="nothing"),
        pytest.param([event("a", 1, 2)], [Gesture("a", 1, 2)], (1, 0, 0), id="the same stretch"),
        pytest.param([event("a", 1, 2)], [Gesture("b", 1, 2)], (0, 1, 1), id="another label"),
        pytest.param([event("a", 2.5, 3)], [Gesture("a", 1, 2)], (1, 0, 0), id="late by the tolerance"),
        pytest.param([event("a", 2.51, 3)], [Gesture("a", 1, 2)], (0, 1, 1), id="late by more"),
        pytest.param([event("a", 0, 0.5)], [Gesture("a", 1, 2)], (1, 0, 0), id="early by the tolerance"),
        pytest.param([event("a", 0, 0.49)], [Gesture("a", 1, 2)], (0, 1, 1), id="early by more"),
        pytest.param([event("a", 1, 1.3), event("a", 1.5, 2)], [Gesture("a", 1, 2)], (1, 0, 1), id="reported twice"),
        pytest.param([event("a", 1, 4)], [Gesture("a", 1, 2), Gesture("a", 3, 4)], (1, 1, 0), id="two reported as one"),
        pytest.param([event("a", 2.4, 4)], [Gesture("a", 0, 2), Gesture("a", 2.4, 4)], (1, 1, 0), id="near another"),
        pytest.param(
            [event("a", 3, 4), event("a", 1.8, 2.6)],
            [Gesture("a", 1, 2), Gesture("a", 2.9, 4)],
            (2, 0, 0),
            id="out of order",
        ),
    ],
)
def test_each_event_and_each_truth_is_paired_at_most_once(
    events: list[Event], truth: list[Gesture], counts: tuple[int, int, int]
) -> None:
    score = match(events, truth, tolerance_s=0.5)
    assert (len(score.matched), len(score.missed), len(score.false_alarms)) == counts


def test_an_event_belongs_to_what_it_overlaps_before_what_it_is_near() -> None:
    score = match([event("a", 2.4, 4)], [Gesture("a", 0, 2), Gesture("a", 2.4, 4)], tolerance_s=0.5)
    assert [real.start_s for real, _ in score.matched] == [2.4]
    assert [real.start_s for real in score.missed] == [0]


def test_precision_counts_events_and_recall_counts_truth() -> None:
    score = match([event("a", 1, 2), event("b", 5, 6), event("b", 7, 8)], [Gesture("a", 1, 2), Gesture("c", 3, 4)])
    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 2)
    assert match([], []).precision == match([], []).recall == 1.0


def test_the_table_is_in_order_of_time_and_names_every_verdict() -> None:
    lines = as_table(
        match([event("a", 1.2, 2, 0.875), event("b", 9, 9.5)], [Gesture("c", 4, 5), Gesture("a", 1, 2)])
    ).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["a", "1.00", "2.00", "a", "1.20", "2.00", "0.88", "right"],
        ["c", "4.00", "5.00", "missed"],
        ["b", "9.00", "9.50", "0.90", "false", "alarm"],
    ]


def test_the_summary_and_the_json_say_the_same() -> None:
    score = match([event("a", 1, 2), event("b", 5, 6)], [Gesture("a", 1, 2)])
    assert summary(score, duration_s=1800) == (
        "Event precision 0.500 (1 of 2 events), recall 1.000 (1 of 1 in truth), F1@50 0.667, "
        "false alarms an hour 2 (1 in 1800 s)"
    )
    data = as_json(score, duration_s=1800)
    assert (data["precision"], data["recall"], data["false_per_hour"]) == (0.5, 1.0, 2.0)
    assert data["f1_50"] == pytest.approx(2 / 3)
    assert data["false_alarms"] == [{"label": "b", "start_s": 5, "end_s": 6, "announced_s": 0.0, "score": 0.9}]


def test_f1_needs_events_that_lie_where_the_truth_does() -> None:
    late = match([event("a", 1.6, 2.6)], [Gesture("a", 1, 2)])
    assert (late.recall, late.f1_50) == (1.0, 0.0)
    assert match([event("a", 1.3, 2.2)], [Gesture("a", 1, 2)]).f1_50 == 1.0
    assert match([], []).f1_50 == 1.0
