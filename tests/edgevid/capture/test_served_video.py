"""Videos from a web server: files with an end, and streams that come in bursts."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from edgevid.capture import open_source
from edgevid.capture.clock import PlaybackClock
from edgevid.errors import SourceError
from edgevid.units import NS_PER_MS
from tests.models.bundles import window_manifest

pytest.importorskip("cv2")

import cv2  # after the skip

from tests.clips.interlaced import write_interlaced
from tests.clips.videos import level
from tests.servers.network_cameras import FileServer


def write_mpeg(path: Path, *, count: int = 30) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mpg2"), 25.0, (64, 64))
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((64, 64, 3), level(index), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_a_video_file_on_a_web_server_has_its_own_times_and_an_end(tmp_path: Path, suffix: str) -> None:
    write_mpeg(tmp_path / f"clip{suffix}")
    with (
        FileServer(tmp_path) as server,
        open_source(f"http://{server.address}/clip{suffix}", window_manifest()) as source,
    ):
        assert not source.live
        seen = [(frame.timestamp_ns, int(np.median(frame.data))) for frame in source.frames()]
    assert [round(stamp / NS_PER_MS) for stamp, _ in seen] == [40 * index for index in range(30)]
    assert all(abs(gray - level(index)) <= 5 for index, (_, gray) in enumerate(seen))


def test_a_video_stream_that_comes_in_a_burst_is_played_at_its_own_intervals(tmp_path: Path) -> None:
    write_mpeg(tmp_path / "live.ts")
    with (
        FileServer(tmp_path, announces_length=False) as server,
        open_source(f"http://{server.address}/live.ts", window_manifest()) as source,
    ):
        assert source.live
        stamps = [frame.timestamp_ns for frame in itertools.islice(source.frames(), 12)]
    assert [round((after - before) / NS_PER_MS) for before, after in itertools.pairwise(stamps)] == [40] * 11


def test_a_video_file_whose_server_breaks_off_is_an_error(tmp_path: Path) -> None:
    whole = write_mpeg(tmp_path / "clip.avi", count=60).read_bytes()
    (tmp_path / "clip.avi").write_bytes(whole[: len(whole) // 2])
    with (
        FileServer(tmp_path) as server,
        open_source(f"http://{server.address}/clip.avi", window_manifest()) as source,
        pytest.raises(SourceError, match="Expected 60 frames from http"),
    ):
        list(source.frames())


def test_a_snapshot_address_is_an_error_that_asks_for_the_stream(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "shot.jpg"), np.zeros((48, 64, 3), np.uint8))
    with FileServer(tmp_path) as server, pytest.raises(SourceError, match="got a single picture") as caught:
        open_source(f"http://{server.address}/shot.jpg", window_manifest())
    assert "address of the camera's stream" in str(caught.value)


def test_an_interlaced_stream_is_an_error_when_it_is_opened(tmp_path: Path) -> None:
    write_interlaced(tmp_path / "live.avi")
    with FileServer(tmp_path) as server:
        try:
            source = open_source(f"http://{server.address}/live.avi", window_manifest())
        except SourceError as error:
            assert "Expected progressive frames in http://" in str(error)
        else:
            with source:
                assert abs(int(np.median(next(source.frames()).data)) - level(0)) <= 5


def test_playback_begins_anew_at_a_jump_and_after_a_break_of_the_network() -> None:
    clock = PlaybackClock()
    second = 1_000_000_000
    assert clock.to_monotonic_ns(7 * second, 100 * second) == 100 * second
    assert clock.to_monotonic_ns(8 * second, 100 * second) == 101 * second
    assert clock.to_monotonic_ns(0, 100 * second) == 101 * second + 1
    assert clock.to_monotonic_ns(1 * second, 110 * second) == 110 * second


def test_a_stream_of_a_codec_without_a_decoder_is_an_error_that_names_the_codec(tmp_path: Path) -> None:
    content = write_mpeg(tmp_path / "clip.avi").read_bytes()
    # A camera's codec of the future.
    (tmp_path / "clip.avi").write_bytes(content.replace(b"mpg2", b"AV99"))
    with FileServer(tmp_path) as server, pytest.raises(SourceError, match=r"codec 'AV99'|none that opens"):
        open_source(f"http://{server.address}/clip.avi", window_manifest())
