"""Video files and folders of pictures as sources, through OpenCV."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from edgevid.capture.source import ClosingSource
from edgevid.capture.video.containers import INDEXED_SUFFIXES, PICTURE_SUFFIXES, in_order, opencv_name
from edgevid.capture.video.decoder import Decoder
from edgevid.capture.video.file_clock import FileClock
from edgevid.errors import SourceError
from edgevid.frames import Array, Frame
from edgevid.frames.imaging import opencv
from edgevid.units import NS_PER_MS, NS_PER_S

# Containers without a frame rate report 0 or an absurd number.
_MAX_FPS, _DEFAULT_FPS = 1000, 25.0
# Frames in a row without a stamp, after the first, that show a stream without times.
_NO_TIMES_AFTER = 3
_log = logging.getLogger(__name__)


def _any_time(_timestamp_ns: int) -> bool:
    return True


class VideoFile(ClosingSource):
    """Every frame of a video file, BGR, with the container's time stamps.

    Args:
        path: The video file.

    Raises:
        SourceError: OpenCV cannot open the file.

    Attributes:
        wanted: Predicate over a frame's time in nanoseconds: whether anybody will look at that
            frame. Others are decoded, since later ones depend on them, but neither converted nor
            delivered; they count in the index of the next one.
    """

    live = False
    decodes_video = True

    def __init__(self, path: str | Path) -> None:
        where = opencv_name(Path(path))
        decoder = Decoder(where, name=str(path), can_reopen=Path(path).is_file())
        if not decoder.is_open:
            raise SourceError(expected="a video file that OpenCV can read", found=str(path), path=path)
        self._set_up(decoder, name=str(path))

    def _set_up(self, decoder: Decoder, *, name: str) -> None:
        self.name, self._decoder = name, decoder
        self.wanted: Callable[[int], bool] = _any_time
        fps = decoder.get("FPS")
        self.fps = fps if 0 < fps < _MAX_FPS else _DEFAULT_FPS
        """Nominal frames per second; 25 where the container has none."""

    @property
    def nominal_s(self) -> float:
        """Length in seconds as the header states it; 0 where it states none."""
        return max(self._decoder.get("FRAME_COUNT"), 0.0) / self.fps

    def seek(self, time_s: float) -> None:
        """Let `frames` begin shortly before a time, if the container can jump there.

        Args:
            time_s: Time in the file. Some earlier frames are delivered too: all of them, where the
                container has no index or its times cannot be trusted.
        """
        if Path(self.name).suffix.lower() in INDEXED_SUFFIXES:
            self._decoder.seek(time_s * 1000)

    def frames(self) -> Iterator[Frame]:
        """Decode the file from its current position to its end.

        Yields:
            Frames (H, W, 3) uint8 BGR, which share one buffer.

        Raises:
            SourceError: Not one frame could be decoded, or a frame was decoded and not written.
        """
        clock, index, held = FileClock(round(NS_PER_S / self.fps)), 0, list[Array]()
        for picture, times_ns in self._timed_pictures(clock):
            if picture is None:
                index += 1
            elif not times_ns:
                # The decoder writes its next frame into the same buffer.
                held.append(picture.copy())
            else:
                for pixels, stamp_ns in zip((*held, picture), times_ns, strict=False):
                    yield Frame(pixels, "bgr", stamp_ns, index)
                    index += 1
                held.clear()
            self._warn_of_no_times(clock, index)
        for pixels, stamp_ns in zip(held, clock.flush(), strict=True):
            yield Frame(pixels, "bgr", stamp_ns, index)
            index += 1
        if clock.assumed and clock.missing < index - 1:
            _log.warning("%s: the times of %d of its %d frames are assumed.", self.name, clock.assumed, index)

    def _timed_pictures(self, clock: FileClock) -> Iterator[tuple[Array | None, Sequence[int]]]:
        """Yield each picture, None for one that is not wanted, and the times that are known with it."""
        times_ns: Sequence[int] = ()

        def is_wanted() -> bool:
            nonlocal times_ns
            times_ns = clock.offer(round(self._decoder.get("POS_MSEC") * NS_PER_MS))
            # A frame without a time yet may be wanted, and so may those that waited for theirs with it.
            return len(times_ns) != 1 or self.wanted(times_ns[0])

        for picture in self._pictures(is_wanted):
            yield picture, times_ns

    def times_ns(self) -> Iterator[int]:
        """Decode the file from its current position to its end, and yield the time of each frame.

        Yields:
            The timestamps that `frames` delivers, without the cost of the pictures.
        """
        clock = FileClock(round(NS_PER_S / self.fps))
        while self._decoder.grab():
            yield from clock.offer(round(self._decoder.get("POS_MSEC") * NS_PER_MS))
        yield from clock.flush()

    def pictures(self) -> Iterator[Array]:
        """Decode the file from its current position to its end, without the times.

        Yields:
            (H, W, 3) uint8 BGR, in one buffer.

        Raises:
            SourceError: Not one frame could be decoded, or a frame was decoded and not written.
        """
        return (picture for picture in self._pictures(lambda: True) if picture is not None)

    def _pictures(self, is_wanted: Callable[[], bool]) -> Iterator[Array | None]:
        """Yield each picture, or None for one that is not wanted, as asked once it is decoded."""
        buffer: Array | None = None
        count = 0
        while self._decoder.grab():
            if not is_wanted():
                yield None
            elif (buffer := self._decoder.retrieve(buffer)) is not None:
                yield buffer
            else:
                break
            count += 1
        if count == 0:
            raise SourceError(
                expected=f"frames in {self.name}",
                found=f"none that can be decoded (codec {self._decoder.codec!r})",
                hint="If other players show it, convert it with: ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4",
                path=self.name,
            )

    def _warn_of_no_times(self, clock: FileClock, index: int) -> None:
        if clock.missing != _NO_TIMES_AFTER or index != _NO_TIMES_AFTER + 1:
            return
        _log.warning(
            "%s has no times; %g frames a second are assumed. Name its rate with: "
            "ffmpeg -framerate FPS -i IN -c copy OUT.mp4, or replay it with its times in a .pts file.",
            self.name,
            self.fps,
        )

    def close(self) -> None:
        """Release the file."""
        self._decoder.close()


class Pipe(ClosingSource):
    """A video from a named pipe, opened when its first frame is requested.

    Opening a pipe waits for its writer. Here the reader's thread waits, which a stall limit and
    Ctrl-C can leave behind.

    Args:
        path: The pipe.
    """

    live = False
    decodes_video = True

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._video: VideoFile | None = None

    def frames(self) -> Iterator[Frame]:
        """Wait for the writer, and decode the video to its end.

        Yields:
            Frames (H, W, 3) uint8 BGR, which share one buffer.

        Raises:
            SourceError: The pipe holds no video.
        """
        self._video = VideoFile(self._path)
        yield from self._video.frames()

    def close(self) -> None:
        """Release the pipe, if it was opened."""
        if self._video is not None:
            self._video.close()


class PictureFolder(ClosingSource):
    """The pictures of a folder at a fixed interval, ordered by the numbers in their names.

    Args:
        path: The folder.
        interval_s: Time between two pictures, in seconds.

    Raises:
        SourceError: The folder contains no picture.
    """

    live = False

    def __init__(self, path: str | Path, *, interval_s: float) -> None:
        self._cv2 = opencv("reading pictures")
        self.name = str(path)
        self._interval_s = interval_s
        folder = Path(path)
        pictures = (file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
        self.files = in_order(pictures, folder)
        if not self.files:
            raise SourceError(expected=f"pictures ({', '.join(PICTURE_SUFFIXES)}) in {path}", found="none", path=path)

    def frames(self) -> Iterator[Frame]:
        """Decode each picture.

        Yields:
            Frames (H, W, 3) uint8 BGR.

        Raises:
            SourceError: A picture cannot be decoded.
        """
        for index, file in enumerate(self.files):
            where = opencv_name(file)
            try:
                pixels = self._cv2.imread(where, self._cv2.IMREAD_COLOR)
            except self._cv2.error:
                # Its header announces more pixels than `edgevid.frames.imaging` allows.
                pixels = None
            if pixels is None:
                raise SourceError(expected="a picture that OpenCV can read", found=str(file), path=file)
            yield Frame(np.asarray(pixels, np.uint8), "bgr", round(index * self._interval_s * NS_PER_S), index)
