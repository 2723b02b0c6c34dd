"""Hits and false alarms of a stream, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevid import bundle
from edgevid.bench.reference.film import SEEDS, render
from edgevid.bench.reference.score import Detection, Moment, StreamScore, score
from edgevid.capture.synthetic import GestureSource
from tests.edgevid.bench.test_bench import GESTURES

MOMENTS = (
    Moment(label="wave", start_s=10.0, end_s=11.0),
    Moment(label="wave", start_s=11.5, end_s=12.5),
    Moment(label="push", start_s=20.0, end_s=21.0),
)


def scored(*detections: tuple[str, float]) -> StreamScore:
    return score(MOMENTS, [Detection(label=label, at_s=at_s) for label, at_s in detections])


@pytest.mark.parametrize(
    ("detections", "hits", "false_alarms", "delays_s"),
    [
        ([], 0, 0, ()),
        ([("wave", 10.0)], 1, 0, (0.0,)),
        # Until 1 s after the end, not later, and not before the start.
        ([("push", 22.0)], 1, 0, (2.0,)),
        ([("push", 22.01)], 0, 1, ()),
        ([("push", 19.99)], 0, 1, ()),
        # One announcement in the time of two actions hits both; a second one of an action is neither.
        ([("wave", 11.8)], 2, 0, (1.8, 0.3)),
        ([("wave", 10.4), ("wave", 10.9)], 1, 0, (0.4,)),
        # The wrong label is a false alarm, even at the right time.
        ([("push", 10.5)], 0, 1, ()),
        # False ones within 1 s of the one that counted are one.
        ([("push", 40.0), ("wave", 40.9)], 0, 1, ()),
        ([("push", 40.0), ("push", 40.9), ("push", 41.0)], 0, 2, ()),
    ],
)
def test_hits_and_false_alarms(
    detections: list[tuple[str, float]], hits: int, false_alarms: int, delays_s: tuple[float, ...]
) -> None:
    found = scored(*detections)
    assert (found.moments, found.hits, found.false_alarms) == (3, hits, false_alarms)
    assert found.delays_s == pytest.approx(delays_s)


def test_the_film_shows_each_person_in_turn_at_the_times_of_the_truth(tmp_path: Path) -> None:
    manifest = bundle.read(GESTURES).manifest
    film, truth = render(manifest, tmp_path / "frames.raw", person_s=6.0)
    frames = [(frame.data.copy(), frame.timestamp_ns) for frame in film.frames()]
    each = round(6.0 / manifest.window.interval_s)
    assert len(frames) == each * len(SEEDS)
    size = {"height_px": manifest.input.height, "width_px": manifest.input.width}
    third = GestureSource(seed=SEEDS[2], fps=1 / manifest.window.interval_s, duration_s=6.0, **size)
    pictures = [frame.data.copy() for frame in third.frames()]
    assert (frames[2 * each][0] == pictures[0]).all()
    assert (frames[3 * each - 1][0] == pictures[-1]).all()
    assert frames[2 * each][1] == pytest.approx(12e9)
    shifted = [moment for moment in truth if 12.0 <= moment.start_s < 18.0]
    assert [moment.label for moment in shifted] == [gesture.label for gesture in third.truth]
    assert [moment.start_s - 12.0 for moment in shifted] == pytest.approx([each.start_s for each in third.truth])
