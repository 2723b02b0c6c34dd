from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevid.capture.video.unwritten import MARKS
from edgevid.errors import SourceError

pytest.importorskip("cv2")

import cv2  # after the skip

from edgevid.capture.recording import HEADING, Recording, times_path
from edgevid.capture.video.decoder import Decoder
from edgevid.capture.video_files import VideoFile
from tests.clips.interlaced import write_interlaced
from tests.clips.videos import level, number_of, write_numbered


def grays(path: Path) -> list[int]:
    with VideoFile(path) as source:
        return [int(np.median(frame.data)) for frame in source.frames()]


def grays_or_refusal(path: Path) -> list[int] | str:
    """OpenCV before 4.13, such as the pinned release, converts interlaced frames; later ones must be refused."""
    try:
        return grays(path)
    except SourceError as error:
        return str(error)


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("first", [0, 1, 7, 12])
def test_a_picture_that_opencv_never_wrote_is_an_error_and_not_a_stale_frame(
    tmp_path: Path, first: int, same: bool
) -> None:
    seen = grays_or_refusal(write_interlaced(tmp_path / "clip.avi", first=first, same=same))
    if isinstance(seen, str):
        assert "Expected progressive frames in" in seen
        assert "yadif" in seen
    else:
        assert all(abs(gray - level(0 if same else index)) <= 5 for index, gray in enumerate(seen))
        assert len(seen) == 20


def test_equal_progressive_pictures_are_all_delivered(tmp_path: Path) -> None:
    assert len(grays(write_interlaced(tmp_path / "clip.avi", first=200, count=200, same=True))) == 200


@pytest.mark.parametrize("mark", MARKS)
def test_a_gray_first_picture_is_not_taken_for_memory(tmp_path: Path, mark: int) -> None:
    path = tmp_path / "gray.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 25.0, (64, 48))
    writer.write(np.full((48, 64, 3), mark, np.uint8))
    writer.release()
    assert grays(path) == [mark]


def test_a_recording_of_interlaced_frames_is_an_error(tmp_path: Path) -> None:
    path = write_interlaced(tmp_path / "clip.avi")
    times_path(path).write_text("\n".join([HEADING, *(str(40 * index) for index in range(20))]) + "\n")
    with Recording(path) as source:
        try:
            seen = [int(np.median(frame.data)) for frame in source.frames()]
        except SourceError as error:
            assert "Expected progressive frames" in str(error)
        else:
            assert len(set(seen)) > 10


def test_ffmpeg_writes_nothing_to_stderr(tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    content = bytearray(write_interlaced(tmp_path / "clip.avi").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = b"\xff" * 200
    broken.write_bytes(content)
    program = (
        "import logging, sys; logging.disable()\n"
        "from edgevid.capture.video_files import VideoFile; from edgevid.errors import SourceError\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        list(VideoFile(path).frames())\n    except SourceError:\n        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(broken), str(tmp_path / "clip.avi"), str(tmp_path / "none.mp4")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""


class LandsElsewhere:
    """A capture of a container whose index is wrong: it jumps two seconds too far."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture

    def set(self, name: int, value: float) -> bool:
        return bool(self._capture.set(name, value + 3000))

    def __getattr__(self, name: str) -> object:
        return getattr(self._capture, name)


@pytest.mark.parametrize("is_exact", [True, False])
def test_a_jump_is_followed_by_a_frame_before_the_time_or_else_by_the_first_one(tmp_path: Path, is_exact: bool) -> None:
    path = write_numbered(tmp_path / "a.mp4", count=250)
    decoder = Decoder(str(path), name="a.mp4")
    if not is_exact:
        decoder._capture = LandsElsewhere(decoder._capture)
    assert decoder.seek(5000) is is_exact
    assert decoder.grab()
    number = number_of(decoder.retrieve(None))
    assert number in range(90, 126) if is_exact else number == 0
    assert decoder.grab()
    assert number_of(decoder.retrieve(None)) == number + 1


def test_a_jump_beyond_the_end_begins_anew(tmp_path: Path) -> None:
    decoder = Decoder(str(write_numbered(tmp_path / "a.mp4", count=50)), name="a.mp4")
    assert decoder.seek(60_000) is False
    assert decoder.grab()
    assert number_of(decoder.retrieve(None)) == 0
