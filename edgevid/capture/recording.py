"""Recordings: a video file and, beside it, the time of each of its frames.

A container keeps times in its own units, often a constant rate; a camera's frames come when they come. So the times lie beside the video in
a text file of the same name with the ending `.pts`: a heading, then one time a line, in milliseconds. `rpicam-vid --save-pts` writes such
files, and mkvmerge reads them.

Source: "timestamp format v2", https://mkvtoolnix.download/doc/mkvmerge.html#mkvmerge.external_timestamp_files
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from edgevid.capture.opencv import VideoFile, VideoWriter
from edgevid.capture.source import ClosingSource
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Frame

HEADING = "# timestamp format v2"
_HEADINGS = (HEADING, "# timecode format v2")
_NS_PER_MS = 1e6


def times_path(video: Path) -> Path:
    """Say where a video's times lie.

    Args:
        video: `NAME.avi` or another.

    Returns:
        `NAME.pts` beside it.
    """
    return video.with_suffix(".pts")


def read_times_ns(path: Path) -> list[int]:
    """Read the times of a recording.

    Args:
        path: The `.pts` file.

    Returns:
        Nanoseconds, going forward.

    Raises:
        SourceError: It is not there, has no heading, or holds something that is not a time after the one before.
    """
    try:
        heading, *lines = path.read_text("utf-8").splitlines()
        times_ns = [round(float(line) * _NS_PER_MS) for line in lines if line.strip()]
    except (OSError, ValueError, OverflowError) as error:
        raise SourceError(
            expected=f"the times of a recording in milliseconds, one a line under {HEADING!r}",
            found=f"{path}, which cannot be read: {error}",
            path=path,
        ) from error
    if heading.strip() not in _HEADINGS or any(after <= before for before, after in itertools.pairwise(times_ns)):
        raise SourceError(
            expected=f"times that go forward under {HEADING!r} in {path}", got=heading, found="others", path=path
        )
    return times_ns


class Recording(ClosingSource):
    """The frames of a recording, BGR, with the times they had when they were recorded.

    Args:
        path: The video; its times lie beside it.

    Raises:
        UsageError: There is no such file.
        SourceError: The video or its times cannot be read.
    """

    live = False

    def __init__(self, path: str | Path) -> None:
        video = Path(path)
        if not video.is_file():
            raise UsageError(
                expected=f"a recording, a video with its times in {times_path(video).name} beside it",
                found=f"{path}, which is not there",
                path=video,
            )
        self.name = str(video)
        self._times_ns = read_times_ns(times_path(video))
        self._video = VideoFile(video)

    def frames(self) -> Iterator[Frame]:
        """Decode the video.

        Yields:
            Frames (H, W, 3) BGR, which share one buffer.

        Raises:
            SourceError: The video has more or fewer frames than times.
        """
        count = 0
        for frame in self._video.frames():
            if count < len(self._times_ns):
                yield Frame(frame.data, frame.color, self._times_ns[count], frame.index)
            count += 1
        if count != len(self._times_ns):
            raise SourceError(
                expected=f"{len(self._times_ns)} frames in {self.name}, one for each time beside it",
                got=count,
                found=f"{count}",
                path=self.name,
            )

    def close(self) -> None:
        """Release the file."""
        self._video.close()


class RecordingWriter:
    """Writes frames and their times. The video is Motion JPEG, whose frames are all whole pictures.

    Args:
        path: An `.avi` file to be made.

    Raises:
        UsageError: The name has another ending, or one of the two files is there already.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".avi":
            raise UsageError(expected="a recording's name to end in .avi", got=str(path), found=f"{path}")
        for each in (self.path, times_path(self.path)):
            if each.exists():
                raise UsageError(
                    expected="a new file to record into",
                    found=f"{each}, which is there",
                    hint="Choose another name.",
                    path=each,
                )
        self.written = 0
        self._video = VideoWriter(self.path)
        self._times: TextIO | None = None
        self._start_ns = 0

    def write(self, frame: Frame) -> None:
        """Add a frame.

        Args:
            frame: A picture; every one of the size of the first.

        Raises:
            SourceError: It cannot be written, or has another size.
        """
        self._video.write(frame)
        if self._times is None:
            self._times = times_path(self.path).open("x", encoding="utf-8")
            self._times.write(f"{HEADING}\n")
            self._start_ns = frame.timestamp_ns
        # A line is whole or not there, should the power fail: the file is line-buffered only by this flush.
        self._times.write(f"{(frame.timestamp_ns - self._start_ns) / _NS_PER_MS:.6f}\n")
        self._times.flush()
        self.written += 1

    def close(self) -> None:
        """Finish both files."""
        self._video.close()
        if self._times is not None:
            self._times.close()
            self._times = None
