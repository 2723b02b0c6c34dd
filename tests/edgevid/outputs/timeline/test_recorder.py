"""The output that keeps what was seen, and writes it at the end."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgevid.errors import UsageError
from edgevid.events.decide import Decision, Event
from edgevid.frames import Frame
from edgevid.outputs.timeline import recorder as module
from edgevid.outputs.timeline.page import TimelineModel
from edgevid.outputs.timeline.recorder import TimelineRecorder
from edgevid.outputs.timeline.thumbnails import ThumbnailRing, thumbnail_px
from tests.edgevid.outputs.sinks import LABELS

MODEL = TimelineModel(name="tiny", labels=LABELS)


def opened(*paths: Path, source: str = "a.mp4", has_pictures: bool = True) -> TimelineRecorder:
    return TimelineRecorder(paths, source=source, models=[MODEL], has_pictures=has_pictures)


def frame(t_s: float, gray: int = 100) -> Frame:
    return Frame(np.full((90, 160, 3), gray, np.uint8), "bgr", round(t_s * 1e9), 0)


def gray_of(jpeg: bytes | None) -> float:
    assert jpeg is not None
    return float(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).mean())


def event(start_s: float, end_s: float, *, score: float = 0.9) -> Event:
    return Event("wave", start_s, end_s, score, model="tiny", announced_s=start_s)


def watch(recorder: TimelineRecorder, *events: Event, seconds: float = 10.0) -> None:
    for tenth in range(round(seconds * 10)):
        t_s = tenth / 10
        recorder.saw(frame(t_s, min(250, 10 * int(t_s))))
        recorder.decided(Decision(t_s, "wave", 0.5, [0.5] * len(LABELS), 0.0, LABELS, "tiny"))
        for each in events:
            if abs(each.start_s + 0.5 - t_s) < 0.01:
                recorder.started(each)
            if abs(each.end_s + 0.5 - t_s) < 0.01:
                recorder.ended(each)


def test_pictures_of_an_event_show_its_start_middle_and_end(tmp_path: Path) -> None:
    recorder = opened(tmp_path / "a.html")
    watch(recorder, event(2.5, 6.5))
    (pictures,) = recorder._pictures.values()
    assert [gray_of(each) for each in pictures] == [pytest.approx(gray, abs=4) for gray in (20, 40, 60)]


def test_an_event_that_outlasts_the_ring_still_has_the_picture_of_its_start(tmp_path: Path) -> None:
    recorder = opened(tmp_path / "a.html")
    watch(recorder, event(1.0, 22.0), seconds=24)
    (pictures,) = recorder._pictures.values()
    assert gray_of(pictures[0]) == pytest.approx(10, abs=4)
    assert gray_of(pictures[2]) == pytest.approx(220, abs=4)


def test_only_the_events_with_the_highest_scores_keep_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PICTURED", 2)
    recorder = opened(tmp_path / "a.html")
    watch(recorder, event(1, 2, score=0.6), event(3, 4, score=0.9), event(5, 6, score=0.8))
    recorder.close()
    page = (tmp_path / "a.html").read_text()
    assert page.count("data:image/jpeg") == 6
    assert page.count('class="tl-card"') == 3
    assert "The 2 with the highest scores have pictures." in page
    assert 'id="e0"' not in page


def test_files_are_written_at_the_end_and_existing_ones_replaced(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.html", "a.csv", "a.srt", "a.vtt")]
    for path in paths:
        path.write_text("old")
    recorder = opened(*paths)
    watch(recorder, event(2, 4))
    assert {path.read_text() for path in paths} == {"old"}
    recorder.close()
    assert all("wave" in path.read_text() for path in paths)
    assert paths[0].stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_events_are_listed_by_their_start_with_their_own_pictures(tmp_path: Path) -> None:
    recorder = opened(tmp_path / "a.csv", tmp_path / "a.html")
    watch(recorder, event(1, 6), event(3, 4))
    assert [each.start_s for each in recorder._events] == [3, 1]
    recorder.close()
    rows = (tmp_path / "a.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == ["1", "3"]
    run = recorder._seen()
    assert [gray_of(run.pictures[place][-1]) for place in (0, 1)] == [
        pytest.approx(60, abs=4),
        pytest.approx(40, abs=4),
    ]


def test_a_run_without_a_frame_leaves_an_existing_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    opened(tmp_path / "a.csv").close()
    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_file_that_cannot_be_written_is_a_problem_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    recorder = opened(tmp_path / "gone" / "a.csv", tmp_path / "a.csv")
    watch(recorder, event(2, 4))
    (tmp_path / "gone").rmdir()
    recorder.close()
    assert recorder.problem is not None
    assert "gone" in recorder.problem
    assert "wave" in (tmp_path / "a.csv").read_text()


@pytest.mark.parametrize("name", ["a.txt", "a", "a.HTML", "none/a.csv", "folder.csv", "source.csv"])
def test_a_file_that_cannot_be_the_result_is_rejected_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError):
        opened(tmp_path / name, source=str(tmp_path / "source.csv"))


def test_hours_of_frames_take_no_more_room_than_minutes(tmp_path: Path) -> None:
    recorder = opened(tmp_path / "a.html")
    picture = frame(0)

    def look(first_s: int, last_s: int) -> None:
        for t_s in range(first_s, last_s):
            recorder.saw(Frame(picture.data, "bgr", t_s * 10**9, t_s))
            recorder.decided(Decision(float(t_s), "wave", 0.5, [0.5] * len(LABELS), 0.0, LABELS, "tiny"))

    look(0, 120)
    tracemalloc.start()
    look(120, 36_000)
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert current < 100_000
    assert peak < 4 * 2**20


def test_rows_of_features_have_no_pictures(tmp_path: Path) -> None:
    recorder = opened(tmp_path / "a.html", has_pictures=False)
    recorder.saw(Frame(np.zeros(8, np.float32), "none", 0, 0))
    recorder.ended(event(0, 1))
    recorder.close()
    assert "data:image" not in (tmp_path / "a.html").read_text()


def test_a_ring_takes_five_pictures_a_second_and_begins_anew_for_another_size() -> None:
    ring = ThumbnailRing()
    assert ring.nearest(0) is None
    for index in range(100):
        ring.saw(frame(index / 100, gray=index))
    # The frames at 0.2 and 0.4 s; that at 0.29 s was not due.
    assert gray_of(ring.nearest(0.29)) == pytest.approx(20, abs=2)
    ring.saw(Frame(np.full((300, 100, 1), 200, np.uint8), "gray", 10**10, 0))
    assert gray_of(ring.nearest(0.0)) == pytest.approx(200, abs=2)


@pytest.mark.parametrize(
    ("size_px", "small_px"), [((1920, 1080), (160, 90)), ((48, 64), (48, 64)), ((10, 4000), (1, 160))]
)
def test_a_thumbnail_keeps_its_proportions(size_px: tuple[int, int], small_px: tuple[int, int]) -> None:
    assert thumbnail_px(*size_px) == small_px
