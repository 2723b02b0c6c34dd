"""Writing video files and drawing on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.demo.annotated_video import CODECS, annotate, write_video
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError
from edgevid.events.decide import Decision, Event


def noise(count: int, *, height_px: int = 32, width_px: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height_px, width_px, 3), np.uint8)


def frames_of(path: Path) -> np.ndarray:
    with VideoFile(path) as video:
        return np.stack([frame.data.copy() for frame in video.frames()])


def test_an_exact_codec_gives_back_every_pixel(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", noise(5), fps=10, codec="FFV1")
    np.testing.assert_array_equal(frames_of(tmp_path / "a.avi"), noise(5))


@pytest.mark.parametrize("codec", CODECS)
def test_the_frame_rate_and_count_are_kept(codec: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{CODECS[codec]}"
    write_video(path, noise(7), fps=20, codec=codec)
    with VideoFile(path) as video:
        assert [frame.timestamp_ns for frame in video.frames()] == [index * 50_000_000 for index in range(7)]


def test_a_video_without_frames_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="at least one frame"):
        write_video(tmp_path / "a.mp4", [], fps=10)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield noise(1)[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / "a.mp4", broken(), fps=10)
    assert list(tmp_path.iterdir()) == []


def test_the_annotated_video_shows_every_frame_and_flashes_during_an_event(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", np.full((30, 32, 48, 3), 128, np.uint8), fps=10, codec="FFV1")
    scores = [0.1, 0.9]
    decisions = [Decision(t_s, "wave", 0.9, scores, 1.0) for t_s in np.arange(0.5, 3.0, 0.1)]
    annotate(
        tmp_path / "a.avi",
        tmp_path / "b.mp4",
        labels=("none", "wave"),
        decisions=decisions,
        events=[Event("wave", 0.8, 1.0, 0.9)],
    )
    shown = frames_of(tmp_path / "b.mp4").astype(int)
    assert len(shown) == 30
    edge = np.abs(shown[:, 2, 100] - 128).max(axis=1) > 40
    assert not edge[5] and edge[9] and not edge[25]


def test_the_bars_in_the_annotated_video_are_as_long_as_the_scores(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", np.full((10, 32, 48, 3), 0, np.uint8), fps=10, codec="FFV1")
    decisions = [Decision(0.0, "wave", 1.0, [0.0, 1.0], 1.0)]
    annotate(tmp_path / "a.avi", tmp_path / "b.mp4", labels=("none", "wave"), decisions=decisions, events=[])
    panel = frames_of(tmp_path / "b.mp4")[5][:, -190:].astype(int)
    colored = (panel.max(axis=2) - panel.min(axis=2) > 60).sum(axis=1)
    assert colored.max() > 140
    assert (colored > 20).sum() <= 16  # one bar of nine rows, and what the codec smears
