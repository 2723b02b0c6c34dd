from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from convert.clips import Clip, ClipRef
from convert.training.console import metrics_text
from convert.training.metrics import Prediction, bundle_scorer, check_labels, evaluate, measure
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, UsageError
from tests.clips.moving import moving_clips

WINDOW = Window(frames=4, interval_s=0.2)
LABELS = ("left", "right", "still")


def by_motion(frames):
    """A scorer that is always right: it finds by how many columns the second frame is moved from the first."""
    moved = [
        index for index, step in enumerate((-4, 4, 0)) if np.array_equal(np.roll(frames[0], step, axis=1), frames[1])
    ]
    return np.repeat(np.eye(3, dtype=np.float32)[moved], len(frames) - 3, axis=0)


def always(index):
    return lambda frames: np.eye(3, dtype=np.float32)[[index] * (len(frames) - 3)]


def predictions(*pairs):
    return [Prediction(Path("x.avi"), truth, answer, ()) for truth, answer in pairs]


@pytest.mark.parametrize("views", ["centre", "all"])
def test_a_model_that_is_always_right_is_measured_so(views):
    result = evaluate(by_motion, moving_clips(3).clips, labels=LABELS, window=WINDOW, views=views)
    assert (result.accuracy, result.precision, result.recall, result.f1) == (1, 1, 1, 1)
    assert result.confusion == ((3, 0, 0), (0, 3, 0), (0, 0, 3))
    assert [each.clips for each in result.classes] == [3, 3, 3]


def test_metrics_are_those_of_the_definitions():
    result = measure(predictions(("left", "left"), ("left", "right"), ("right", "right"), ("right", "right")), LABELS)
    assert result.accuracy == 0.75
    assert [(each.precision, each.recall) for each in result.classes] == [
        (1.0, 0.5),
        (pytest.approx(2 / 3), 1.0),
        (0.0, 0.0),
    ]
    assert result.f1 == pytest.approx((2 / 3 + 0.8) / 2)
    assert result.confusion == ((1, 1, 0), (0, 2, 0), (0, 0, 0))


def test_means_are_over_the_classes_that_the_clips_show():
    result = measure(predictions(("left", "left"), ("right", "right")), LABELS)
    assert (result.precision, result.recall, result.f1) == (1, 1, 1)


def test_a_clip_is_answered_by_the_mean_over_its_windows():
    rows = np.array([[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]], np.float32)
    (clip,) = moving_clips(1, classes=("right",)).clips
    result = evaluate(lambda _frames: rows, [clip], labels=LABELS, window=WINDOW, views="all")
    assert result.predictions[0].answer == "right"
    assert result.predictions[0].scores == pytest.approx((0.4, 0.6, 0.0))


def test_all_views_show_every_frame_a_stream_would_sample_and_the_centre_one_window():
    seen = []

    def scorer(frames):
        seen.append(len(frames))
        return always(0)(frames)

    clips = moving_clips(1, classes=("left",), count=12).clips
    for views in ("centre", "all"):
        evaluate(scorer, clips, labels=LABELS, window=WINDOW, views=views)
    assert seen == [4, 6]


def test_a_clip_shorter_than_a_window_is_held_to_its_length():
    clips = moving_clips(1, classes=("left",), count=3).clips
    result = evaluate(always(1), clips, labels=LABELS, window=WINDOW, views="all")
    assert result.predictions[0].answer == "right"


def test_a_class_that_the_model_does_not_know_is_named_with_those_it_knows():
    clips = moving_clips(1).clips
    with pytest.raises(ClipsError, match=r"\(left, right\), got 'still'"):
        check_labels(clips, ("left", "right"))


def test_a_clip_without_a_class_cannot_be_measured():
    clip = Clip(ClipRef(Path("stray.avi")), np.zeros((4, 2, 2, 3), np.uint8), np.arange(4))
    with pytest.raises(ClipsError, match=r"none for stray\.avi"):
        evaluate(always(0), [clip], labels=LABELS, window=WINDOW)


def test_unknown_views_are_refused():
    with pytest.raises(UsageError, match="centre, all"):
        evaluate(always(0), [], labels=LABELS, window=WINDOW, views="some")


class FakeEngine:
    """Answers from the second frame on, as a stateful plan may, with the mean of what it was given."""

    def __init__(self):
        self.bundle = type("Bundle", (), {"manifest": type("Manifest", (), {"window": WINDOW})})
        self.given = []
        self._slot = np.zeros((2,), np.uint8)
        self._answer = np.zeros(3, np.float32)

    def restart(self):
        self.given.clear()

    def input_buffer(self):
        return self._slot

    def step(self):
        self.given.append(self._slot.copy())
        self._answer[:] = len(self.given)
        return self._answer if len(self.given) > 1 else None


def test_a_bundle_is_streamed_from_a_fresh_start_and_scored_from_the_first_full_window():
    engine = FakeEngine()
    score = bundle_scorer(engine)
    frames = np.arange(12, dtype=np.uint8).reshape(6, 2)
    for _ in range(2):
        np.testing.assert_array_equal(score(frames)[:, 0], [4, 5, 6])
        np.testing.assert_array_equal(engine.given, frames)


def test_metrics_are_printed_with_every_class_and_the_confusions():
    text = metrics_text(measure(predictions(("left", "left"), ("right", "left")), LABELS))
    assert "accuracy 0.500 [0.095, 0.905] over 2 clips" in text
    assert "2 right" in text
    assert len([line for line in text.splitlines() if line.startswith(("left", "right", "still", "mean"))]) == 4
