"""FFmpeg's decoder in OpenCV, for files and network streams, with a proof that pictures were written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevid.capture.video.unwritten import MARKS, is_unwritten, marked_memory
from edgevid.errors import SourceError
from edgevid.frames import Array
from edgevid.frames.imaging import opencv, silence_opencv

# A picture that equals the one before it in these rows may be a stale one.
_COMPARED_ROWS = 8
# Each proof decodes the file from its start, so a still scene is proven at its 1st, 8th, 64th …
# repetition.
_PROOF_STEP = 8
# OpenCV rounds the time of a jump to a frame, and to the wrong one where the rate is uneven.
_SEEK_MARGIN_MS = 1000


class Decoder:
    """Decodes a file or stream frame by frame.

    Args:
        where: A path, or the address of a stream.
        name: The words for it in errors: the address without its password.
        limits: Properties and values for OpenCV, in turn.
        can_reopen: Whether the same frames can be read again. Otherwise a picture is only proven
            when it is the first.

    Attributes:
        is_open: Whether OpenCV can read it.
    """

    def __init__(self, where: str, *, name: str, limits: Sequence[float] = (), can_reopen: bool = True) -> None:
        self._cv2 = opencv("reading video")
        # Before the first call that may fail: OpenCV would print the address with its password.
        silence_opencv()
        self._where, self._name, self._limits, self._can_reopen = where, name, list(limits), can_reopen
        self._capture = self._open()
        self.is_open = bool(self._capture.isOpened())
        self._index = -1
        self._seek_ms = 0.0
        self._is_held = False
        self._is_first = True
        self._last_rows: Array | None = None
        self._repeats, self._next_proof = 0, 1

    def get(self, name: str) -> float:
        """Return a property of the current frame or of the stream.

        Args:
            name: OpenCV's name without `CAP_PROP_`, such as "POS_MSEC".
        """
        return float(self._capture.get(getattr(self._cv2, f"CAP_PROP_{name}")))

    @property
    def codec(self) -> str:
        """The four letters of the codec, such as AV01."""
        return (round(self.get("FOURCC")) & 0xFFFFFFFF).to_bytes(4, "little").decode("latin-1")

    def peek(self) -> bool:
        """Decode and convert the first frame, and hold it for the next `grab`.

        Returns:
            Whether there is one.

        Raises:
            SourceError: OpenCV reports success and wrote nothing.
        """
        self._is_held = self.grab() and self.retrieve(None) is not None
        return self._is_held

    def grab(self) -> bool:
        """Decode the next frame, without its conversion to BGR; return False at the end."""
        if self._is_held:
            self._is_held = False
            return True
        is_grabbed = bool(self._capture.grab())
        self._index += is_grabbed
        return is_grabbed

    def seek(self, time_ms: float) -> bool:
        """Continue shortly before a time, without decoding the frames far before it.

        Call it before the first `grab`.

        Args:
            time_ms: Time of the container.

        Returns:
            Whether the next frame is not after `time_ms`. Otherwise the next frame is the first one
            of the file.
        """
        self._seek_ms = max(time_ms - _SEEK_MARGIN_MS, 0.0)
        self._capture.set(self._cv2.CAP_PROP_POS_MSEC, self._seek_ms)
        # A container with a poor index lands elsewhere.
        if self.grab() and 0 < self.get("POS_MSEC") <= time_ms:
            self._is_held = True
            return True
        self._capture.release()
        self._seek_ms, self._index = 0.0, -1
        self._capture = self._open()
        return False

    def retrieve(self, buffer: Array | None) -> Array | None:
        """Convert the grabbed frame to BGR.

        Args:
            buffer: Written if it has the frame's shape.

        Returns:
            (H, W, 3) uint8, `buffer` or another array; None for a frame that cannot be converted.

        Raises:
            SourceError: OpenCV reports success and wrote nothing.
        """
        is_first, self._is_first = self._is_first, False
        if is_first:
            picture = self._retrieve_marked(self._capture, MARKS[0])
        else:
            is_converted, picture = self._capture.retrieve(buffer)
            picture = picture if is_converted else None
        if picture is None:
            return None
        if is_first and is_unwritten(picture, MARKS[0]):
            self._prove()
        if self._can_reopen:
            self._check_repeat(picture)
        return picture

    def close(self) -> None:
        """Release the file or stream."""
        self._capture.release()

    def _open(self) -> Any:
        # FFmpeg by name: of others, OpenCV takes "shot_01.jpg" for the first of a numbered series.
        return self._cv2.VideoCapture(self._where, self._cv2.CAP_FFMPEG, self._limits)

    @staticmethod
    def _retrieve_marked(capture: Any, mark: int) -> Array | None:
        with marked_memory(mark):
            is_converted, picture = capture.retrieve()
        return picture if is_converted else None

    def _check_repeat(self, picture: Array) -> None:
        """Prove a picture that may be the content of an old buffer."""
        rows = picture[::_COMPARED_ROWS]
        if self._last_rows is None or self._last_rows.shape != rows.shape:
            # A frame of another size has a new buffer, which was not marked.
            if self._last_rows is not None:
                self._prove()
            self._last_rows = rows.copy()
            return
        # One row tells almost all pictures apart, without a comparison of the others.
        if not (np.array_equal(rows[:1], self._last_rows[:1]) and np.array_equal(rows, self._last_rows)):
            np.copyto(self._last_rows, rows)
            return
        self._repeats += 1
        if self._repeats == self._next_proof:
            self._next_proof *= _PROOF_STEP
            self._prove()

    def _prove(self) -> None:
        """Decode the current frame as the first of another decoder, in marked memory.

        Raises:
            SourceError: Nothing was written there either.
        """
        if not self._can_reopen:
            # Of a stream, only the first frame is checked: it is the mark itself.
            raise self._unwritten()
        capture = self._open()
        if self._seek_ms:
            capture.set(self._cv2.CAP_PROP_POS_MSEC, self._seek_ms)
        try:
            is_grabbed = all(capture.grab() for _ in range(self._index + 1))
            picture = self._retrieve_marked(capture, MARKS[1]) if is_grabbed else None
            if picture is not None and is_unwritten(picture, MARKS[1]):
                raise self._unwritten()
        finally:
            capture.release()

    def _unwritten(self) -> SourceError:
        return SourceError(
            expected=f"progressive frames in {self._name}",
            found=f"interlaced ones, which OpenCV {self._cv2.__version__} cannot convert",
            hint="Deinterlace it, for a file with: ffmpeg -i IN -vf yadif OUT.mp4",
        )
