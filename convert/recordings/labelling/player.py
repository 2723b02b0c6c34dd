"""Frames of a recording by their time, as JPEGs for a page.

A browser plays few containers, and jumps in them to a key frame or to a rounded time. Here each frame
is the one that OpenCV decodes for training and evaluation, with the same timestamp: a mark that is set
on it holds for exactly that frame.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.clips import ClipRef
from convert.clips.sources import length_s
from edgevid.capture.video_files import VideoFile
from edgevid.frames import Array, Frame
from edgevid.frames.imaging import Encoder, shrinker
from edgevid.units import NS_PER_S

_WIDTH_PX, _QUALITY = 960, 82
# Frames that are kept for steps back: four seconds at 30 a second.
_HELD = 120
# A jump ahead decodes the frames between, up to this far.
_READ_ON_S = 4.0
# Kept before the target of a jump, for steps back from it.
_BEFORE_S = 0.5
_BACK_FACTOR = 4


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame of a recording.

    Attributes:
        time_s: When it is shown first.
        jpeg: The picture, at most 960 pixels wide.
        is_last: Whether the recording ends with it.
    """

    time_s: float
    jpeg: bytes
    is_last: bool


class Player:
    """The frames of one recording. Not for several threads at once.

    Args:
        video: The file.

    Attributes:
        length_s: Time of the end of its last frame.
        frame_s: Nominal time between two frames.

    Raises:
        SourceError: The file cannot be read.
    """

    def __init__(self, video: Path) -> None:
        self._path = video
        self.length_s = length_s(ClipRef(video))
        with VideoFile(video) as source:
            self.frame_s = 1 / source.fps
        self._source: VideoFile | None = None
        self._frames: Iterator[Frame] = iter(())
        self._times_ns, self._jpegs = deque[int](maxlen=_HELD), deque[bytes](maxlen=_HELD)
        # Whether the first held frame is the first of the file, and the last one is the last.
        self._is_start = self._is_end = False
        self._keep_from_ns = 0
        self._encoder = Encoder(_QUALITY)

    def at(self, time_s: float) -> Shot:
        """Return the frame that is on the screen at a time.

        Args:
            time_s: Before the first frame, that one is returned; after the last, the last one.
        """
        time_ns = round(time_s * NS_PER_S)
        found = self._last_until(time_ns)
        return self._shot(0 if found is None else found)

    def after(self, time_s: float) -> Shot | None:
        """Return the first frame after a time, or None at the end."""
        time_ns = round(time_s * NS_PER_S)
        self._cover(time_ns)
        index = bisect.bisect_right(self._times_ns, time_ns)
        return self._shot(index) if index < len(self._times_ns) else None

    def before(self, time_s: float) -> Shot | None:
        """Return the last frame before a time, or None at the start."""
        found = self._last_until(round(time_s * NS_PER_S) - 1)
        return None if found is None else self._shot(found)

    def close(self) -> None:
        """Close the file."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _last_until(self, time_ns: int) -> int | None:
        """Return the place of the last held frame not after a time; None before the first frame."""
        back_ns = round(_BEFORE_S * NS_PER_S)
        self._cover(time_ns)
        while not self._times_ns or self._times_ns[0] > time_ns:
            if self._is_start:
                return None
            self._restart(time_ns - back_ns)
            self._read_past(time_ns)
            back_ns *= _BACK_FACTOR
        return bisect.bisect_right(self._times_ns, time_ns) - 1

    def _cover(self, time_ns: int) -> None:
        """Hold the frame of a time and the one after it."""
        held = self._times_ns
        is_near = held and (self._is_start or held[0] <= time_ns) and time_ns <= held[-1] + _READ_ON_S * NS_PER_S
        if not is_near and not (held and self._is_end and time_ns > held[-1]):
            self._restart(time_ns)
        self._read_past(time_ns)

    def _restart(self, time_ns: int) -> None:
        """Begin to decode again, so that the frames shortly before a time are held."""
        self.close()
        self._source = VideoFile(self._path)
        # Beyond the end nothing would be held.
        time_ns = min(time_ns, round(self.length_s * NS_PER_S))
        self._keep_from_ns = max(time_ns - round(_BEFORE_S * NS_PER_S), 0)
        self._is_start, self._is_end = self._keep_from_ns == 0, False
        self._times_ns.clear()
        self._jpegs.clear()
        if not self._is_start:
            self._source.seek(self._keep_from_ns / NS_PER_S)
        self._frames = self._source.frames()

    def _read_past(self, time_ns: int) -> None:
        while not self._is_end and (not self._times_ns or self._times_ns[-1] <= time_ns):
            self._read()

    def _read(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            self._is_end = True
        elif frame.timestamp_ns >= self._keep_from_ns:
            self._hold(frame)

    def _hold(self, frame: Frame) -> None:
        if len(self._times_ns) == _HELD:
            self._is_start = False
        self._times_ns.append(frame.timestamp_ns)
        self._jpegs.append(self._encode(frame.data))

    def _encode(self, pixels: Array) -> bytes:
        height, width, _ = pixels.shape
        if width > _WIDTH_PX:
            small = np.empty((max(round(height * _WIDTH_PX / width), 1), _WIDTH_PX, 3), np.uint8)
            shrinker((small.shape[1], small.shape[0]), gray=False)(pixels, small)
            pixels = small
        return self._encoder.encode(pixels, "bgr").tobytes()

    def _shot(self, index: int) -> Shot:
        if index == len(self._times_ns) - 1 and not self._is_end:
            time_ns = self._times_ns[index]
            self._read_past(time_ns)
            # A full store drops its first frame for the new one.
            index = self._times_ns.index(time_ns)
        is_last = self._is_end and index == len(self._times_ns) - 1
        return Shot(self._times_ns[index] / NS_PER_S, self._jpegs[index], is_last)
