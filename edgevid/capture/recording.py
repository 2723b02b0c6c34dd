"""Recordings: a video file, and next to it the time of each of its frames.

A container stores times in its own units, often at a constant rate, but a camera's frames come at
irregular times. So a text file `.pts` of the same name holds the times: a heading, then one time
per line, in milliseconds. `rpicam-vid --save-pts` writes such files, and mkvmerge reads them.

Source: "timestamp format v2", https://mkvtoolnix.download/doc/mkvmerge.html#mkvmerge.external_timestamp_files
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from edgevid import atomic
from edgevid.capture.source import ClosingSource
from edgevid.capture.video_files import VideoFile
from edgevid.errors import SourceError, UsageError
from edgevid.frames import Frame
from edgevid.frames.imaging import Encoder
from edgevid.outputs.video.avi import AviWriter
from edgevid.units import NS_PER_MS

# The RIFF container counts its bytes in 32 bits.
MOST_BYTES = 4_000_000_000
_QUALITY = 95
# The errors of a disk, quota or file that is full.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
HEADING = "# timestamp format v2"
# Older versions of mkvmerge called it "timecode".
_HEADINGS = (HEADING, "# timecode format v2")


def times_path(video: Path) -> Path:
    """Return the path of a video's times.

    Args:
        video: The video file, such as `NAME.avi`.

    Returns:
        `NAME.pts` in the same folder.
    """
    return video.with_suffix(".pts")


def read_times_ns(path: Path) -> list[int]:
    """Read the times of a recording.

    Args:
        path: The `.pts` file.

    Returns:
        Strictly increasing nanoseconds.

    Raises:
        SourceError: The file is missing, has no heading, or contains a line that is no later time.
    """
    try:
        heading, *lines = path.read_text("utf-8").splitlines()
        times_ns = [round(float(line) * NS_PER_MS) for line in lines if line.strip()]
    # `round` raises ValueError for NaN and OverflowError for infinity.
    except (OSError, ValueError, OverflowError) as error:
        raise SourceError(
            expected=f"the times of a recording in milliseconds, one per line under {HEADING!r}",
            found=f"{path}, which cannot be read: {error}",
            path=path,
        ) from error
    if heading.strip() not in _HEADINGS or any(after <= before for before, after in itertools.pairwise(times_ns)):
        raise SourceError(
            expected=f"increasing times under {HEADING!r} in {path}",
            got=heading,
            found="another heading or a time that does not increase",
            path=path,
        )
    return times_ns


class Recording(ClosingSource):
    """The frames of a recording, BGR, with their original times.

    Args:
        path: The video file; its times are in the `.pts` file of the same name.

    Raises:
        UsageError: The video file is missing.
        SourceError: The video or its times cannot be read.
    """

    live = False
    decodes_video = True

    def __init__(self, path: str | Path) -> None:
        video = Path(path)
        if not video.is_file():
            raise UsageError(
                expected=f"a recording, a video with its times in {times_path(video).name} next to it",
                found=f"none at {path}",
                path=video,
            )
        self.name = str(video)
        self._times_ns = read_times_ns(times_path(video))
        self._video = VideoFile(video)

    def frames(self) -> Iterator[Frame]:
        """Decode the video.

        Yields:
            Frames (H, W, 3) uint8 BGR, which share one buffer.

        Raises:
            SourceError: The video has more or fewer frames than times.
        """
        count = 0
        for picture in self._video.pictures():
            if count < len(self._times_ns):
                yield Frame(picture, "bgr", self._times_ns[count], count)
            # Surplus frames are counted for the message, but not delivered.
            count += 1
        if count != len(self._times_ns):
            raise SourceError(
                expected=f"{len(self._times_ns)} frames in {self.name}, one for each of its times",
                got=count,
                path=self.name,
            )

    def close(self) -> None:
        """Release the file."""
        self._video.close()


class RecordingWriter:
    """Writes frames and their times. The video is Motion JPEG: every frame is a complete picture.

    Args:
        path: An `.avi` file to create.

    Raises:
        UsageError: The name has another suffix, or one of the two files exists.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".avi":
            raise UsageError(expected="a recording's name to end in .avi", found=str(path))
        for file in (self.path, times_path(self.path)):
            if file.exists():
                raise UsageError(
                    expected="a new file to record into",
                    found=f"{file}, which exists",
                    hint="Choose another name.",
                    path=file,
                )
        self.written = 0
        self._encoder = Encoder(_QUALITY)
        self._shape: tuple[int, ...] = ()
        self._video: BinaryIO | None = None
        self._times: TextIO | None = None
        self._start_ns = 0

    def write(self, frame: Frame) -> None:
        """Append a frame.

        Args:
            frame: A picture of the size of the first one.

        Raises:
            UsageError: The frame is a feature vector.
            SourceError: The frame has another size, or the recording has reached the size of an AVI.
            OSError: The file cannot be written: the disk is full, for example.
        """
        if frame.color == "none":
            raise UsageError(expected="pictures to record", found="feature vectors")
        if self._video is None:
            self._open(frame)
        if frame.data.shape != self._shape:
            raise SourceError(expected=f"frames of one size in a recording, {self._shape}", got=frame.data.shape)
        if self._avi.size_bytes > MOST_BYTES:
            raise SourceError(
                expected=f"a recording of at most {MOST_BYTES} bytes", found="a longer one", hint="Start another file."
            )
        self._avi.add(self._encoder.encode(frame.data, frame.color).tobytes(), frame.timestamp_ns)
        assert self._times is not None, "opened with the video"
        self._times.write(f"{(frame.timestamp_ns - self._start_ns) / NS_PER_MS:.6f}\n")
        # Flushed line by line: after a power failure a line is complete or missing.
        self._times.flush()
        self.written += 1

    def close(self) -> None:
        """Finish both files. On a full disk, drop the last frames that leave no room for the index.

        Raises:
            OSError: The files cannot be finished for another reason.
        """
        if self._video is None or self._times is None:
            return
        video, times = self._video, self._times
        self._video = self._times = None
        with video, closing_quietly(times):
            while True:
                try:
                    # The picture of a time that was not written.
                    while self._avi.frames > self.written:
                        self._avi.drop_last()
                    self._avi.finish()
                    break
                except OSError as error:
                    if error.errno not in _FULL or self.written == 0:
                        raise
                    self.written -= 1
        _keep_lines(times_path(self.path), 1 + self.written)

    def _open(self, frame: Frame) -> None:
        self._shape = height, width, _ = frame.data.shape
        # Unbuffered: a full disk is reported with the picture that does not fit, not when the file is closed.
        self._video = cast("BinaryIO", WholeWrites(self.path))
        self._avi = AviWriter(self._video, width_px=width, height_px=height)
        # Opened only now, so that a first frame that is rejected leaves no file of times.
        atomic.create_private(times_path(self.path))
        self._times = times_path(self.path).open("r+", encoding="utf-8")
        self._times.write(f"{HEADING}\n")
        self._start_ns = frame.timestamp_ns


class WholeWrites(FileIO):
    """A new file whose `write` writes everything or raises."""

    def __init__(self, path: Path) -> None:
        atomic.create_private(path)
        super().__init__(path, "r+")

    def write(self, content: bytes, /) -> int:  # type: ignore[override]  # its writer has no other type
        """Write all bytes."""
        rest = memoryview(content)
        while rest:
            rest = rest[super().write(rest) or 0 :]
        return len(content)


@contextmanager
def closing_quietly(file: TextIO) -> Iterator[None]:
    """Close a file of times, of which the last line may not fit on the disk."""
    try:
        yield
    finally:
        with suppress(OSError):
            file.close()


def _keep_lines(path: Path, count: int) -> None:
    """Cut a file after a number of lines, and a line that was written in part."""
    with path.open("r+b") as file:
        for _ in range(count):
            file.readline()
        file.truncate(file.tell())
