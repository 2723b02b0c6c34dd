"""Recordings, and files that play at their own pace."""

from __future__ import annotations

import itertools
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edgevid
from edgevid import cli
from edgevid.capture import open_source
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Frame
from tests.models.bundles import window_manifest

pytest.importorskip("cv2")

from edgevid.capture.recording import HEADING, Recording, RecordingWriter, read_times_ns  # after the skip
from edgevid.commands.demo import BUNDLE
from tests.clips.videos import level, write_video

SHIPPED = Path(edgevid.__file__).parent / "data" / BUNDLE

TIMES_MS = [0, 33.25, 70.5, 300.125, 333]


def record(path: Path, times_ms: list[float] = TIMES_MS) -> Path:
    writer = RecordingWriter(path)
    for index, time_ms in enumerate(times_ms):
        writer.write(Frame(np.full((48, 64, 3), level(index), np.uint8), "rgb", round(7e9 + time_ms * 1e6), index))
    writer.close()
    return path


def test_a_recording_gives_its_frames_back_with_their_times(tmp_path: Path) -> None:
    with Recording(record(tmp_path / "seen.avi")) as source:
        frames = [(frame.timestamp_ns / 1e6, int(frame.data[5, 5, 0]), frame.index) for frame in source.frames()]
    assert [time_ms for time_ms, _, _ in frames] == TIMES_MS
    assert all(abs(gray - level(index)) <= 5 for _, gray, index in frames)


def test_a_recording_is_not_readable_by_everyone(tmp_path: Path) -> None:
    path = record(tmp_path / "seen.avi")
    assert [each.stat().st_mode & 0o777 for each in (path, path.with_suffix(".pts"))] == [0o640, 0o640]


def test_a_first_frame_that_the_video_rejects_leaves_no_file(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "seen.avi")
    with pytest.raises(UsageError, match="pictures to record"):
        writer.write(Frame(np.zeros(5, np.float32), "none", 0, 0))
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_times_of_other_programs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.pts"
    path.write_text("# timecode format v2\n0\n40.5\n\n81\n")
    assert read_times_ns(path) == [0, 40_500_000, 81_000_000]


@pytest.mark.parametrize(
    "text", ["", "0\n40\n", f"{HEADING}\n40\n0\n", f"{HEADING}\n0\nnan\n", f"{HEADING}\nsoon\n", f"{HEADING}\n0\n0\n"]
)
def test_times_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clip.pts"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"Expected .*times"):
        read_times_ns(path)


@pytest.mark.parametrize("count", [4, 6])
def test_a_video_with_more_or_fewer_frames_than_times_is_refused(tmp_path: Path, count: int) -> None:
    path = record(tmp_path / "seen.avi")
    path.with_suffix(".pts").write_text("\n".join([HEADING, *(str(index * 40) for index in range(count))]))
    with Recording(path) as source, pytest.raises(SourceError, match=f"Expected {count} frames"):
        list(source.frames())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = record(tmp_path / "seen.avi")
    with pytest.raises(UsageError, match="which exists"):
        RecordingWriter(path)
    path.unlink()
    with pytest.raises(UsageError, match="which exists"):
        RecordingWriter(path)
    with pytest.raises(UsageError, match=r"\.avi"):
        RecordingWriter(tmp_path / "seen.mp4")


def test_replay_shows_a_recording_at_its_own_pace_on_this_machines_clock(tmp_path: Path) -> None:
    path = record(tmp_path / "seen.avi")
    with open_source(f"replay:{path}", window_manifest()) as source:
        assert source.live
        before_ns = time.monotonic_ns()
        frames = [(frame.timestamp_ns, time.monotonic_ns()) for frame in source.frames()]
    assert [round((stamp - frames[0][0]) / 1e6, 3) for stamp, _ in frames] == TIMES_MS
    assert all(before_ns <= stamp <= given for stamp, given in frames)


def test_the_policy_decides_whether_a_recording_waits_or_plays(tmp_path: Path) -> None:
    path = record(tmp_path / "seen.avi")
    with (
        open_source(f"replay:{path}", window_manifest(), policy="file") as waiting,
        open_source(str(path), window_manifest(), policy="live") as playing,
    ):
        assert (waiting.live, playing.live) == (False, True)
        assert next(waiting.frames()).timestamp_ns == 0


def test_frames_that_play_may_be_looked_at_while_the_next_one_is_read(tmp_path: Path) -> None:
    with open_source(
        str(write_video(tmp_path / "clip.avi", count=4, fps=100)), window_manifest(), policy="live"
    ) as source:
        frames = source.frames()
        held = next(frames)
        next(frames)
        assert abs(int(held.data[5, 5, 0]) - level(0)) <= 5


def test_run_records_what_it_sees_and_replays_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = tmp_path / "seen.avi"
    assert (
        cli.main(
            [
                "run",
                str(SHIPPED),
                "--source",
                "synthetic:3",
                "--record",
                str(seen),
                "--max-frames",
                "40",
                "--policy",
                "live",
            ]
        )
        == 0
    )
    capsys.readouterr()
    times_ns = read_times_ns(seen.with_suffix(".pts"))
    assert 35 <= len(times_ns) <= 40
    assert all((after - before) % 50_000_000 == 0 for before, after in itertools.pairwise(times_ns))
    assert cli.main(["run", str(SHIPPED), "--source", f"replay:{seen}", "--policy", "file", "--json"]) == 0
    out, err = capsys.readouterr()
    assert f"{len(times_ns)} seen" in err
    assert out.count('"t_s"') >= 3


@pytest.fixture
def small_file() -> Iterator[int]:
    """Let no file grow beyond a limit, as a full disk would."""
    limit = 60_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield limit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_recording_that_fills_the_disk_can_be_replayed_up_to_there(tmp_path: Path, small_file: int) -> None:
    path = tmp_path / "seen.avi"
    writer = RecordingWriter(path)
    rng = np.random.default_rng(0)
    stamps = [40_000_000 * index for index in range(50)]
    with pytest.raises(OSError, match="File too large"):
        for index, stamp_ns in enumerate(stamps):
            pixels = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            writer.write(Frame(pixels, "rgb", stamp_ns, index))
    writer.close()
    assert path.stat().st_size <= small_file
    with Recording(path) as source:
        replayed = [frame.timestamp_ns for frame in source.frames()]
    assert len(replayed) > 5
    assert replayed == stamps[: len(replayed)]


def test_run_fails_with_the_reason_when_its_recording_cannot_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "seen.avi"
    monkeypatch.setattr("edgevid.capture.recording.MOST_BYTES", 40_000)
    assert cli.main(["run", str(SHIPPED), "--source", "synthetic:7", "--max-frames", "90", "--record", str(path)]) == 1
    assert f"recording {path} ended after" in capsys.readouterr().err
    with Recording(path) as replayed:
        assert len(list(replayed.frames())) > 2
