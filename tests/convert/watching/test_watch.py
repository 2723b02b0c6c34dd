"""Scores of bundles and of Keras models over recordings, on the frames that the device takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.event_metrics import replay
from convert.stream_evaluation.watched_model import watched_bundle
from convert.watching import watch_bundle, watch_keras
from convert.watching.timed import TimedSource, open_recording
from convert.watching.watch_bundle import bundle_watch
from convert.watching.watch_keras import keras_watch
from edgevid.bundle.manifest import Window
from edgevid.capture.source import ClosingSource
from edgevid.capture.video_files import VideoFile
from edgevid.errors import TruthError
from edgevid.frames import Frame
from edgevid.frames.preprocess import InputSpec
from edgevid.inference.engine import Engine
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.units import NS_PER_S
from tests.convert.stream_evaluation.gestures import shipped, write_recordings
from tests.streams import Script, engine_for

SPEC = InputSpec(height=6, width=8, channels=3)
WINDOW = Window(frames=4, interval_s=0.1)
ONE = {"height": 1, "width": 1}


def write_levels(path: Path, levels: list[int], *, fps: float = 10.0) -> Path:
    """A video whose frames have the given brightness."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


def newest_and_oldest(frames: np.ndarray) -> np.ndarray:
    """Scores of a stand-in for a model: the brightness of the first and last frame of each window."""
    bright = frames.reshape(len(frames), -1).mean(axis=1) / 255
    return np.stack([bright[:-3], bright[3:]], axis=1)


def test_a_replay_of_the_scores_gives_the_events_of_the_device(tmp_path: Path) -> None:
    (recording,) = write_recordings(tmp_path / "streams", seeds=[3])
    seen = Collector()
    with VideoFile(recording.path) as source:
        Pipeline(Engine(shipped()), source, [seen]).run()
    model = watched_bundle(shipped())
    trace = model.watch(0)(recording.path)
    assert replay(trace, lambda: model.decider(model.rule)) == tuple(
        type(event)(**{**{name: getattr(event, name) for name in event.__slots__}, "age_ms": 0.0, "model": ""})
        for event in seen.events
    )
    assert len(seen.events) >= 5
    assert trace.duration_s == pytest.approx(30.0, abs=0.06)


def test_a_slower_pace_answers_less_often_and_with_longer_windows(tmp_path: Path) -> None:
    (recording,) = write_recordings(tmp_path / "streams", seeds=[3], seconds=10)
    engine = Engine(shipped())
    steps_s = [
        float(np.median(np.diff(bundle_watch(engine, level=level)(recording.path).times_s))) for level in (0, 2, 3)
    ]
    assert steps_s == pytest.approx([0.1, 0.2 * steps_s[1] / 0.2, 0.4 * steps_s[2] / 0.4], abs=0.01)
    assert steps_s[1] >= 0.19
    assert steps_s[2] >= 0.39


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_frames_that_are_not_due_change_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: int) -> None:
    (recording,) = write_recordings(tmp_path / "streams", seeds=[3], seconds=8)
    watches = (
        bundle_watch(Engine(shipped()), level=level),
        keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2, slowdown=level + 1),
    )
    some = [watch(recording.path) for watch in watches]
    monkeypatch.setattr(TimedSource, "deliver_only", lambda _self, _wanted: None)
    for trace, whole in zip(some, [watch(recording.path) for watch in watches], strict=True):
        assert len(trace.times_s) >= 5
        assert np.array_equal(trace.times_s, whole.times_s)
        assert np.array_equal(trace.scores, whole.scores)
        assert trace.segments == whole.segments
        assert trace.duration_s == whole.duration_s


def test_frames_that_are_not_due_are_not_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_levels(tmp_path / "a.avi", [20 * (index // 5) for index in range(50)], fps=50.0)
    seen = []
    monkeypatch.setattr(watch_keras.Preprocessor, "write", lambda _self, frame, _out: seen.append(frame.index))
    frames = TimedSource.frames
    delivered = []

    def counted(source: TimedSource) -> Iterator[Frame]:
        for frame in frames(source):
            delivered.append(frame.index)
            yield frame

    monkeypatch.setattr(TimedSource, "frames", counted)
    trace = keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2)(path)
    assert delivered == seen == list(range(0, 50, 5))
    assert trace.duration_s == pytest.approx(1.0)


def test_each_recording_begins_with_an_empty_window(tmp_path: Path) -> None:
    (recording,) = write_recordings(tmp_path / "streams", seeds=[3], seconds=6)
    watch = bundle_watch(Engine(shipped()))
    first, second = watch(recording.path), watch(recording.path)
    assert np.array_equal(first.scores, second.scores)
    assert np.array_equal(first.times_s, second.times_s)


def test_a_keras_model_is_asked_for_every_window_of_frames_that_are_due(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.avi", [20 * (index // 2) for index in range(24)], fps=20.0)
    trace = keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2)(path)
    assert trace.times_s == pytest.approx(np.arange(3, 12) / 10)
    assert trace.scores[:, 1] * 255 == pytest.approx(20 * np.arange(3, 12), abs=3)
    assert trace.scores[:, 0] * 255 == pytest.approx(20 * np.arange(0, 9), abs=3)
    assert [(each.first, each.began_s) for each in trace.segments] == [(0, 0.0)]
    assert trace.duration_s == pytest.approx(1.2)


def test_chunks_give_the_windows_of_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_levels(tmp_path / "a.avi", [7 * index for index in range(35)])
    whole = keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2)(path)
    monkeypatch.setattr("convert.watching.watch_keras._CHUNK_BYTES", 1)
    asked = []

    def score(frames: np.ndarray) -> np.ndarray:
        asked.append(len(frames))
        return newest_and_oldest(frames)

    pieces = keras_watch(score, SPEC, WINDOW, classes=2)(path)
    assert max(asked) == 2 * WINDOW.frames
    assert len(asked) > 3
    assert np.array_equal(pieces.scores, whole.scores)
    assert np.array_equal(pieces.times_s, whole.times_s)


class Jumping(ClosingSource):
    """Rows of features, of which the fifth comes three seconds late."""

    name, live = "jumping", False

    def frames(self) -> Iterator[Frame]:
        for index in range(8):
            late_ns = 3 * NS_PER_S if index >= 4 else 0
            yield Frame(np.zeros(5, np.float32), "none", index * NS_PER_S // 10 + late_ns, index)


def test_a_gap_in_a_recording_begins_a_new_window(monkeypatch: pytest.MonkeyPatch) -> None:
    window, spec = Window(frames=2, interval_s=0.1), InputSpec(kind="features", channels=5, color="none", **ONE)
    monkeypatch.setattr(watch_keras, "open_recording", lambda *_arguments: TimedSource(Jumping()))
    watch = watch_keras.keras_watch(lambda frames: np.ones((len(frames) - 1, 2)), spec, window, classes=2)
    trace = watch(Path("any"))
    assert [(each.first, round(each.began_s, 3)) for each in trace.segments] == [(0, 0.0), (3, 3.4)]
    assert trace.times_s == pytest.approx([0.1, 0.2, 0.3, 3.5, 3.6, 3.7])


def test_a_gap_in_a_recording_begins_a_new_segment_of_a_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        watch_bundle, "open_recording", lambda *_arguments: TimedSource(Script([1] * 6 + [None] + [1] * 6))
    )
    trace = watch_bundle.bundle_watch(engine_for())(Path("any"))
    assert [(each.first, round(each.began_s, 3)) for each in trace.segments] == [(0, 0.0), (3, 1.6)]
    assert trace.times_s == pytest.approx([0.3, 0.4, 0.5, 1.9, 2.0, 2.1])


def test_a_recording_shorter_than_a_window_is_refused(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.avi", [0] * 3)
    with pytest.raises(TruthError, match=r"at least one window, 4 frames 0\.1 s apart, got 3 such frames"):
        keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2)(path)
    path = write_levels(tmp_path / "b.avi", [0] * 15)
    with pytest.raises(TruthError, match=r"16 frames 0\.1 s apart, got 15 such frames in .*b\.avi"):
        bundle_watch(Engine(shipped()))(path)
    # At a slower pace it merely says nothing.
    assert len(keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2, slowdown=4)(path).times_s) == 1


def test_the_length_of_a_recording_reaches_to_the_end_of_its_last_frame(tmp_path: Path) -> None:
    with open_recording(write_levels(tmp_path / "a.avi", [0] * 25), "frames", WINDOW) as source:
        assert len(list(source.frames())) == 25
        assert source.duration_s == pytest.approx(2.5)


def test_a_recording_whose_gaps_leave_no_window_whole_is_refused(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "slow.avi", [0] * 40, fps=2.0)
    for watch in (bundle_watch(Engine(shipped())), watch_keras.keras_watch(newest_and_oldest, SPEC, WINDOW, classes=2)):
        with pytest.raises(TruthError, match=r"gaps that leave no window whole in .*slow\.avi"):
            watch(path)


def test_a_recording_shorter_than_a_window_of_a_slower_pace_gets_no_answer(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.avi", [0] * 20)
    trace = bundle_watch(Engine(shipped()), level=3)(path)
    assert (len(trace.times_s), trace.scores.shape, trace.segments) == (0, (0, 8), ())
