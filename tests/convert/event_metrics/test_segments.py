"""Overlap, order and pieces of events, against worked examples and the metrics of sound events."""

from __future__ import annotations

import numpy as np
import pytest

from convert.event_metrics.segments import (
    collar_f1,
    edit_score,
    f1_at,
    mean_average_precision,
    pieces,
)
from edgevid.events.timeline import iou
from edgevid.synthetic.gestures import Gesture
from tests.convert.event_metrics.recordings import recording

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0, 10), 1.0), ((5, 15), 1 / 3), ((10, 20), 0.0), ((30, 40), 0.0), ((2, 4), 0.2), ((5, 5), 0.0)],
)
def test_overlap_is_shared_time_over_covered_time(other: tuple[float, float], expected: float) -> None:
    assert iou(Gesture("a", 0, 10), Gesture("a", *other)) == pytest.approx(expected)


def test_two_empty_intervals_do_not_overlap() -> None:
    assert iou(Gesture("a", 1, 1), Gesture("a", 1, 1)) == 0.0


def test_f1_counts_events_that_overlap_the_truth_enough() -> None:
    # Overlaps: 8/10 right, 5/15 too little, and one event of the wrong label; one true event missed.
    one = recording(
        [("a", 0, 10), ("a", 20, 30), ("b", 40, 50), ("b", 60, 70)],
        [("a", 2, 10), ("a", 25, 35), ("a", 40, 50)],
    )
    assert f1_at([one], 0.5) == pytest.approx(2 * 1 / (3 + 4))
    assert f1_at([one], 0.25) == pytest.approx(2 * 2 / (3 + 4))
    assert f1_at([one], 0.5, label="b") == 0.0


def test_a_second_event_for_a_true_one_is_wrong() -> None:
    one = recording([("a", 0, 10)], [("a", 0, 6), ("a", 4, 10)])
    assert f1_at([one], 0.5) == pytest.approx(2 / 3)


def test_nothing_said_where_nothing_happens_is_perfect() -> None:
    assert f1_at([recording()], 0.5) == collar_f1([recording()], 0.5) == edit_score([recording()]) == 1.0
    assert mean_average_precision([recording()], 0.5) is None


def test_average_precision_orders_events_by_score() -> None:
    # Right, wrong, right by score: precision 1 up to half of the truth, 2/3 after.
    one = recording([("a", 0, 10), ("a", 20, 30)], [("a", 0, 10, 0.9), ("a", 50, 60, 0.8), ("a", 20, 30, 0.7)])
    assert mean_average_precision([one], 0.5) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_average_precision_is_the_mean_over_classes_that_occur() -> None:
    one = recording([("a", 0, 10), ("b", 20, 30)], [("a", 0, 10, 0.9)])
    assert mean_average_precision([one], 0.5) == pytest.approx(0.5)


def test_average_precision_counts_true_events_of_all_recordings_together() -> None:
    found, missed = recording([("a", 0, 10)], [("a", 0, 10)]), recording([("a", 0, 10)], [])
    assert mean_average_precision([found, missed], 0.7) == pytest.approx(0.5)


def test_an_event_takes_the_next_true_event_if_its_best_is_taken() -> None:
    one = recording([("a", 0, 10), ("a", 10, 18)], [("a", 0, 18, 0.9), ("a", 1, 17, 0.8)])
    # 10/18 and 8/18 for the first; the second finds the one that is left at 7/17.
    assert mean_average_precision([one], 0.4) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("truth", "said", "expected"),
    [("abab", "abab", 1.0), ("abab", "ab", 0.5), ("ab", "ba", 0.0), ("", "a", 0.0), ("aba", "aa", 2 / 3)],
)
def test_the_edit_score_compares_the_order_alone(truth: str, said: str, expected: float) -> None:
    one = recording(
        [(label, 10 * place, 10 * place + 5) for place, label in enumerate(truth)],
        [(label, 2 * place, 2 * place + 1) for place, label in enumerate(said)],
    )
    assert edit_score([one]) == pytest.approx(expected)


def test_fragments_and_merges_are_counted() -> None:
    one = recording(
        [("a", 0, 10), ("a", 20, 30), ("a", 40, 50), ("b", 60, 70)],
        [("a", 0, 3), ("a", 5, 9), ("a", 22, 45), ("a", 60, 63), ("a", 65, 69)],
    )
    assert (pieces([one]).fragments, pieces([one]).merges) == (1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_f1_with_collars_is_that_of_sed_eval(seed: int) -> None:
    sed_eval = pytest.importorskip("sed_eval")
    rng = np.random.default_rng(seed)
    metrics = sed_eval.sound_event.EventBasedMetrics(["a", "b"], t_collar=0.5, percentage_of_length=0.5)
    recordings = []
    for _ in range(4):
        truth = [
            (str(rng.choice(["a", "b"])), float(start), float(start + rng.uniform(0.3, 4)))
            for start in np.arange(0, 60, 5.0)
        ]
        moved = [
            (label, start + rng.normal(0, 0.4), end + rng.normal(0, 0.6))
            for label, start, end in truth
            for _ in range(rng.integers(0, 3))
        ]
        events = [(label, max(start, 0.0), max(start, 0.0, end) + 0.01) for label, start, end in moved]
        recordings.append(recording(truth, events))
        metrics.evaluate(*([_as_sound(*each) for each in some] for some in (truth, events)))
    expected = metrics.results_overall_metrics()["f_measure"]["f_measure"]
    assert collar_f1(recordings, 0.5) == pytest.approx(expected)


def _as_sound(label: str, start_s: float, end_s: float) -> dict[str, object]:
    return {"event_label": label, "event_onset": start_s, "event_offset": end_s, "filename": "made"}
