"""A model in a program: clips, cameras and pushed frames get the answers of `edgevid run` and of the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

import edgevid
from edgevid.capture.recording import RecordingWriter
from edgevid.capture.synthetic import GestureSource
from edgevid.errors import BundleError, ContractError, SourceError, UsageError
from edgevid.frames import Frame
from edgevid.frames.sampling import stream_indices
from tests.clips.videos import write_video

SHIPPED = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"
FRAMES = 300


@pytest.fixture(scope="module")
def model() -> edgevid.Model:
    return edgevid.load(SHIPPED)


def synthetic(count: int = FRAMES, *, seed: int = 3) -> Iterator[Frame]:
    with GestureSource(seed=seed, height_px=48, width_px=48) as source:
        for frame in source.frames():
            if frame.index == count:
                return
            yield Frame(frame.data.copy(), frame.color, frame.timestamp_ns, frame.index)


def run_lines(*arguments: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "edgevid.cli", "run", str(SHIPPED), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(events: Iterable[edgevid.Event]) -> list[tuple[str, float, float, float, bool]]:
    return [(each.label, each.start_s, each.end_s, each.score, each.ended) for each in events]


def test_a_model_says_what_it_is(model: edgevid.Model) -> None:
    assert model.name == "gestures"
    assert model.labels[:2] == ("circle_ccw", "circle_cw")
    assert (model.window.frames, model.interval_s) == (16, 0.1)
    assert (model.input.width, model.input.color) == (48, "rgb")
    assert model.report["agreement"] > 0.98
    assert (
        repr(model)
        == "<edgevid.Model 'gestures': 8 classes, 16 frames of 0.1 s, plan window, encoder int8 + head int8>"
    )


def test_watching_gives_the_decisions_that_edgevid_run_prints(model: edgevid.Model) -> None:
    printed = [
        line for line in run_lines("--source", "synthetic:3", "--max-frames", str(FRAMES)) if "event" not in line
    ]
    seen = list(model.watch("synthetic:3", max_frames=FRAMES))
    assert [(each.t_s, each.label) for each in seen] == [(line["t_s"], line["label"]) for line in printed]
    assert {label: round(score, 6) for label, score in seen[-1].scores.items()} == printed[-1]["scores"]


def test_events_are_those_that_edgevid_run_prints(model: edgevid.Model) -> None:
    printed = [line for line in run_lines("--source", "synthetic:3", "--max-frames", str(FRAMES)) if "event" in line]
    events = list(model.events("synthetic:3", max_frames=FRAMES))
    assert len(events) >= 3
    assert [(each.label, each.start_s, each.end_s) for each in events] == [
        (line["event"], line["start_s"], line["end_s"]) for line in printed
    ]
    assert all(each.ended for each in events)


def test_starts_of_events_come_before_their_ends_and_say_that_they_are_starts(model: edgevid.Model) -> None:
    both = list(model.events("synthetic:3", started=True, max_frames=FRAMES))
    starts, ends = both[::2], both[1::2]
    assert len(ends) >= 3
    assert not any(each.ended for each in starts)
    assert [(each.label, each.start_s) for each in starts] == [(each.label, each.start_s) for each in ends]


def test_the_event_that_is_open_when_the_source_ends_is_an_event_too(model: edgevid.Model) -> None:
    opened = next(each.started for each in model.watch("synthetic:3") if each.started is not None)
    frames = round((opened.announced_s + 0.3) * 20)
    assert [each.label for each in model.events("synthetic:3", max_frames=frames)] == [opened.label]


def test_decisions_carry_the_events_that_they_end_and_start(model: edgevid.Model) -> None:
    decisions = list(model.watch("synthetic:3", max_frames=FRAMES))
    ended = [event for each in decisions for event in each.events]
    assert len(ended) >= 3
    assert plain(ended) == plain(model.events("synthetic:3", max_frames=FRAMES))
    for decision in decisions:
        if decision.started is not None:
            assert decision.ongoing is decision.started


def test_leaving_the_loop_closes_the_source(model: edgevid.Model) -> None:
    class Camera(GestureSource):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    camera = Camera(seed=3, height_px=48, width_px=48)
    for _ in model.watch(camera):
        break
    assert camera.closed == 1


def test_pushed_frames_give_the_decisions_of_a_source(model: edgevid.Model) -> None:
    watched = list(model.watch("synthetic:3", max_frames=FRAMES))
    with model.stream(colour="rgb") as stream:
        pushed = [stream.push(frame.data, t_s=frame.timestamp_ns / 1e9) for frame in synthetic()]
    answered = [each for each in pushed if each is not None]
    assert [(each.t_s, each.probabilities) for each in answered] == [(each.t_s, each.probabilities) for each in watched]
    assert [plain(each.events) for each in answered] == [plain(each.events) for each in watched]
    assert pushed[: (model.window.frames - 1) * 2] == [None] * (model.window.frames - 1) * 2


def test_frames_in_the_other_channel_order_give_the_same_decisions(model: edgevid.Model) -> None:
    def decisions(colour: edgevid.api.stream.Colour, *, each: bool) -> list[tuple[float, ...]]:
        with model.stream(colour="bgr" if each else colour) as stream:
            found = [
                stream.push(
                    frame.data if colour == "rgb" else frame.data[..., ::-1],
                    t_s=frame.timestamp_ns / 1e9,
                    colour=colour if each else None,
                )
                for frame in synthetic(80)
            ]
        return [tuple(decision.probabilities) for decision in found if decision is not None]

    as_rgb = decisions("rgb", each=False)
    assert len(as_rgb) > 20
    assert decisions("bgr", each=False) == as_rgb
    assert decisions("rgb", each=True) == as_rgb
    with model.stream(colour="bgr") as wrong:
        swapped = [wrong.push(frame.data, t_s=frame.timestamp_ns / 1e9) for frame in synthetic(80)]
    assert [tuple(each.probabilities) for each in swapped if each is not None] != as_rgb


def test_frames_of_any_size_and_grey_ones_are_taken(model: edgevid.Model) -> None:
    large = np.full((480, 640, 3), 90, np.uint8)
    with model.stream() as coloured, model.stream() as grey:
        for step in range(16):
            from_colour = coloured.push(large, t_s=step / 10)
            from_grey = grey.push(large[..., 0], t_s=step / 10)
    assert from_colour is not None
    assert from_grey is not None
    assert from_colour.probabilities == from_grey.probabilities


def test_a_gap_starts_a_new_window_and_the_next_decision_brings_the_event_it_ended(model: edgevid.Model) -> None:
    frames = list(synthetic())
    opened = next(each.started for each in model.watch("synthetic:3") if each.started is not None)
    before = [frame for frame in frames if frame.timestamp_ns / 1e9 <= opened.announced_s + 0.2]
    with model.stream(colour="rgb") as stream:
        decided = [stream.push(frame.data, t_s=frame.timestamp_ns / 1e9) for frame in before]
        assert decided[-1] is not None
        assert decided[-1].ongoing is not None
        later = [stream.push(frame.data, t_s=100 + frame.timestamp_ns / 1e9) for frame in frames[:32]]
    after = [each for each in later if each is not None]
    assert len(after) == 1
    assert [each.label for each in after[0].events] == [opened.label]
    assert stream.telemetry.gaps == 1


def test_closing_a_stream_returns_the_open_event_once(model: edgevid.Model) -> None:
    opened = next(each.started for each in model.watch("synthetic:3") if each.started is not None)
    stream = model.stream(colour="rgb")
    for frame in synthetic():
        if frame.timestamp_ns / 1e9 > opened.announced_s + 0.2:
            break
        stream.push(frame.data, t_s=frame.timestamp_ns / 1e9)
    assert [each.label for each in stream.close()] == [opened.label]
    assert stream.close() == ()
    with pytest.raises(UsageError, match="open stream"):
        stream.push(np.zeros((48, 48, 3), np.uint8), t_s=1.0)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((48, 48, 3), np.float32),
        np.zeros((48, 48, 4), np.uint8),
        np.zeros((48, 0, 3), np.uint8),
        np.zeros((2, 48, 48, 3), np.uint8),
        np.zeros(48, np.uint8),
        [[1, 2], [3, 4]],
        None,
    ],
    ids=["floats", "four channels", "empty", "a clip", "a row", "a list", "nothing"],
)
def test_what_is_no_frame_is_rejected_and_the_stream_goes_on(model: edgevid.Model, frame: object) -> None:
    with model.stream() as stream:
        with pytest.raises(ContractError, match=r"Expected a frame of \(H, W, 3\)"):
            stream.push(frame, t_s=0.0)  # type: ignore[arg-type]
        assert stream.push(np.zeros((48, 48, 3), np.uint8), t_s=0.1) is None


def test_frames_of_one_shape_are_still_told_apart_by_type_layout_and_colour(model: edgevid.Model) -> None:
    """A frame like the one before it takes a shorter way, on which nothing is copied."""
    frames = [frame.data.copy() for frame in synthetic(40)]
    with model.stream(colour="rgb") as plain, model.stream(colour="rgb") as mixed:
        for step, frame in enumerate(frames):
            expected = plain.push(frame, t_s=step / 20)
            # A layout that is not contiguous, then the other order of channels, then plain again.
            other = (np.asfortranarray(frame), np.ascontiguousarray(frame[..., ::-1]), frame)[step % 3]
            found = mixed.push(other, t_s=step / 20, colour="bgr" if step % 3 == 1 else None)
            assert (found is None) == (expected is None)
            if found is not None and expected is not None:
                assert found.probabilities == expected.probabilities
        assert mixed._picture(frames[0], None)[0] is frames[0]
        assert mixed._picture(np.asfortranarray(frames[0]), None)[0].flags.c_contiguous
        for wrong in (frames[0].astype(np.float32), frames[0].view(np.int8)):
            with pytest.raises(ContractError, match=r"Expected a frame of \(H, W, 3\)"):
                mixed.push(wrong, t_s=9.0)


def test_a_grey_frame_after_a_grey_one_stays_grey(model: edgevid.Model) -> None:
    with model.stream() as flat, model.stream() as deep:
        for step, frame in enumerate(synthetic(40)):
            grey = np.ascontiguousarray(frame.data[..., :1])
            expected, found = flat.push(grey[..., 0], t_s=step / 20), deep.push(grey, t_s=step / 20)
            assert (found and found.probabilities) == (expected and expected.probabilities)


def test_streams_and_runs_of_one_model_do_not_disturb_each_other(model: edgevid.Model) -> None:
    alone = [each.probabilities for each in model.watch("synthetic:5", max_frames=100)]
    together: list[object] = []
    with model.stream(colour="rgb") as other:
        pushed = synthetic(100, seed=9)
        for decision in model.watch("synthetic:5", max_frames=100):
            together.append(decision.probabilities)
            frame = next(pushed)
            other.push(frame.data, t_s=frame.timestamp_ns / 1e9)
    assert together == alone


def clip_of(frames: list[Frame], path: Path) -> Path:
    writer = RecordingWriter(path)
    for frame in frames:
        writer.write(frame)
    writer.close()
    return path


def test_a_clip_is_answered_for_by_the_window_in_its_middle(model: edgevid.Model, tmp_path: Path) -> None:
    event = next(iter(model.events("synthetic:3")))
    # An event is late by about half a window, so the motion itself is before its middle.
    frames = [frame for frame in synthetic() if event.start_s - 2 <= frame.timestamp_ns / 1e9 <= event.end_s]
    clip = clip_of(frames, tmp_path / "clip.avi")
    decision = model.classify(clip)
    assert decision.label == event.label
    assert decision.age_ms > 0
    with edgevid.open_source(str(clip), model.bundle.manifest) as source:
        stamps = [frame.timestamp_ns for frame in source.frames()]
    middle_s = (stamps[-1] - stamps[0]) / 2e9
    assert decision.t_s == pytest.approx(middle_s + 0.75, abs=0.1)


def test_every_view_of_a_clip_is_the_mean_over_the_stream(model: edgevid.Model, tmp_path: Path) -> None:
    clip = clip_of(list(synthetic(60)), tmp_path / "clip.avi")
    decision = model.classify(str(clip), views="all")
    streamed = [each.probabilities for each in model.watch(clip)]
    assert decision.probabilities == pytest.approx(np.mean(np.array(streamed, np.float32), axis=0).tolist(), abs=1e-6)
    assert model.classify(clip).probabilities != decision.probabilities


def test_a_clip_shorter_than_the_window_holds_its_last_frame(model: edgevid.Model, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "short.avi", count=5)
    with model.stream(), edgevid.open_source(str(clip), model.bundle.manifest) as source:
        stamps = [frame.timestamp_ns for frame in source.frames()]
    decision = model.classify(clip)
    assert decision.t_s == stamps[stream_indices(stamps, frames=16, interval_s=0.1)[-1]] / 1e9


@pytest.mark.parametrize(
    ("clip", "views", "error", "says"),
    [
        ("nowhere.mp4", "centre", UsageError, "got none at nowhere.mp4"),
        ("clip.avi", "middle", UsageError, "centre, all"),
        ("empty.avi", "centre", SourceError, "OpenCV can read"),
    ],
)
def test_what_is_no_clip_is_rejected(
    model: edgevid.Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clip: str,
    views: str,
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.avi")
    (tmp_path / "empty.avi").touch()
    with pytest.raises(error, match=says):
        model.classify(clip, views=views)  # type: ignore[arg-type]


def test_options_are_the_command_lines_and_are_checked_when_the_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEVID_STATE", str(tmp_path))
    assert list(edgevid.load(SHIPPED, threads="auto").watch("synthetic:1", max_frames=40))
    assert list(tmp_path.glob("threads-*"))
    still = edgevid.load(str(SHIPPED), threads=2, delegate="xnnpack", motion_gate=0.99)
    with still.stream() as stream:
        for step in range(20):
            stream.push(np.full((48, 48, 3), 90, np.uint8), t_s=step / 10)
    assert stream.telemetry.still == 18
    for wrong, says in (
        ({"threads": 0}, "at least 1 or 'auto'"),
        ({"delegate": "gpu"}, "a delegate"),
        ({"motion_gate": 2.0}, "Expected"),
    ):
        with pytest.raises(UsageError, match=says):
            edgevid.load(SHIPPED, **wrong)
    with pytest.raises(UsageError, match="got none"):
        edgevid.load(tmp_path / "none.edgevid")
    (tmp_path / "text.edgevid").write_text("no zip")
    with pytest.raises(BundleError):
        edgevid.load(tmp_path / "text.edgevid")
