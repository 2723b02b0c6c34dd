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
from edgevid.capture.video_files import VideoFile
from tests.clips.interlaced import write_interlaced
from tests.clips.videos import level


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
