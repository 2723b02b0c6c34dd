"""The last pictures of a stream as JPEGs, in memory that is set aside once."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from time import monotonic

import numpy as np

from edgevid.frames import Array


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG.

    Attributes:
        number: Its place among all pictures of the run, from 0.
        timestamp_ns: When the sensor took it.
        width_px: Columns.
        height_px: Rows.
        jpeg: The file.
    """

    number: int
    timestamp_ns: int
    width_px: int
    height_px: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    timestamp_ns: int
    width_px: int
    height_px: int
    begin: int
    end: int


class JpegRing:
    """Holds pictures until newer ones need their place. One thread adds, any number of them read.

    Args:
        room_bytes: Memory for JPEGs.
        pictures: Most that are held.
    """

    def __init__(self, *, room_bytes: int, pictures: int) -> None:
        self._memory = np.zeros(room_bytes, np.uint8)
        self._memory.fill(1)  # a page of zeros is no memory yet
        self._entries: deque[_Entry] = deque()
        self._pictures = pictures
        self._next = self._end = 0
        self._changed = threading.Condition()

    @property
    def next_number(self) -> int:
        """The number that the next picture will have."""
        return self._next

    def add(self, timestamp_ns: int, size_px: tuple[int, int], jpeg: Array) -> bool:
        """Take a picture in, in place of the oldest where that is needed.

        Args:
            timestamp_ns: When the sensor took it.
            size_px: (width, height).
            jpeg: (bytes,) uint8; copied.

        Returns:
            Whether it fits at all.
        """
        length = len(jpeg)
        if length > len(self._memory):
            return False
        with self._changed:
            begin = self._end if self._end + length <= len(self._memory) else 0
            self._clear(begin, begin + length)
            self._memory[begin : begin + length] = jpeg
            self._entries.append(_Entry(self._next, timestamp_ns, *size_px, begin, begin + length))
            self._end = begin + length
            self._next += 1
            self._changed.notify_all()
        return True

    def get(self, number: int) -> Picture | None:
        """Give the picture with this number, or the oldest after it that is still held.

        Args:
            number: At least 0.

        Returns:
            A picture with a copy of the JPEG; None where there is none yet.
        """
        with self._changed:
            if not self._entries or number >= self._next:
                return None
            entry = self._entries[max(0, number - self._entries[0].number)]
            jpeg = self._memory[entry.begin : entry.end].tobytes()
            return Picture(entry.number, entry.timestamp_ns, entry.width_px, entry.height_px, jpeg)

    def number_at(self, timestamp_ns: int) -> int:
        """Find the first picture that was taken at a time or later.

        Args:
            timestamp_ns: Sensor time.

        Returns:
            Its number; that of the next picture where there is none yet.
        """
        with self._changed:
            for entry in self._entries:
                if entry.timestamp_ns >= timestamp_ns:
                    return entry.number
            return self._next

    def wait(self, number: int, timeout_s: float) -> bool:
        """Wait until there is a picture with this number.

        Args:
            number: As of `next_number`.
            timeout_s: Longest wait.

        Returns:
            Whether there is.
        """
        end_s = monotonic() + timeout_s
        with self._changed:
            while self._next <= number:
                left_s = end_s - monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(left_s)
            return True

    def _clear(self, begin: int, end: int) -> None:
        """Let go of the oldest pictures until a stretch of memory is free and there is room for one more."""
        if begin == 0 and self._end > 0:  # those behind the last one would be kept past their time when the ring turns
            while self._entries and self._entries[0].begin >= self._end:
                self._entries.popleft()
        while self._entries and (len(self._entries) >= self._pictures or _overlap(self._entries[0], begin, end)):
            self._entries.popleft()


def _overlap(entry: _Entry, begin: int, end: int) -> bool:
    return entry.begin < end and begin < entry.end
