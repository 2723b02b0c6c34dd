"""Scores of a long run in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from edgevid.outputs.timeline.sketch import ScoreSketch

LABELS = ("none", "wave")


def test_the_highest_score_of_each_stretch_of_time_is_kept() -> None:
    sketch = ScoreSketch(LABELS)
    for t_s, score in ((1.001, 0.2), (1.002, 0.8), (1.003, 0.4), (2.0, 0.1)):
        sketch.add(t_s, [1 - score, score])
    times_s, scores = sketch.between(0, 10, step_s=0.5)
    assert times_s == pytest.approx([1.0, 2.0], abs=0.1)
    assert scores[:, 1] == pytest.approx([0.8, 0.1], abs=0.003)
    assert scores[0, 0] == pytest.approx(0.8, abs=0.003)


def test_ten_hours_take_no_more_room_than_one_and_lose_no_peak() -> None:
    tracemalloc.start()
    sketch = ScoreSketch(LABELS)
    for t_s in range(36_000):
        sketch.add(float(t_s), [0.0, 1.0 if t_s == 30_007 else 0.25])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2 * 2**20
    assert 0.5 < sketch.step_s < 1
    times_s, scores = sketch.between(29_700, 30_300, step_s=10)
    assert len(times_s) == pytest.approx(60, abs=2)
    (place,) = np.flatnonzero(scores[:, 1] == 1)
    assert times_s[place] == pytest.approx(30_007, abs=10)
    assert sketch.highest().tolist() == [0, 1]


@pytest.mark.parametrize("peak_s", [7.01, 7.06, 7.11, 7.16])
def test_a_peak_of_the_first_seconds_outlives_hours_at_its_place(peak_s: float) -> None:
    sketch = ScoreSketch(LABELS)
    sketch.add(peak_s, [0.0, 1.0])
    sketch.add(30_000.0, [0.0, 0.2])
    times_s, scores = sketch.between(0, 40_000, step_s=1)
    assert scores[:, 1] == pytest.approx([1.0, 0.2], abs=0.003)
    assert times_s == pytest.approx([7, 30_000], abs=1)


def test_a_model_of_many_classes_gets_a_coarser_sketch_of_the_same_room() -> None:
    few, many = ScoreSketch(LABELS), ScoreSketch([str(index) for index in range(700)])
    for sketch in (few, many):
        sketch.add(3_000.0, [1.0] * len(sketch.labels))
    assert many.step_s > few.step_s


def test_a_time_without_a_decision_has_no_entry() -> None:
    sketch = ScoreSketch(LABELS)
    sketch.add(1.0, [0.5, 0.5])
    sketch.add(-1.0, [0.5, 0.5])
    assert len(sketch.between(5, 9, step_s=0.1)[0]) == 0
    assert len(sketch.between(0, 9, step_s=0.1)[0]) == 1
