"""The newest pictures of a stream as JPEGs, in a fixed block of memory."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from edgevid.frames import Array


@dataclass(frozen=True, slots=True)
class Picture:
    """One JPEG.

    Attributes:
        number: Position among all pictures of the run, from 0.
        timestamp_ns: Capture time of the sensor.
        width_px: Width of the picture.
        height_px: Height of the picture.
        jpeg: Content of the file.
    """

    number: int
    timestamp_ns: int
    width_px: int
    height_px: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    """A picture in the ring; its JPEG is `memory[begin:end]`."""

    number: int
    timestamp_ns: int
    width_px: int
    height_px: int
    begin: int
    end: int


class JpegRing:
    """A ring buffer of pictures. One thread adds, any number of threads read.

    Args:
        room_bytes: Memory for JPEGs, allocated once.
        pictures: The most pictures held.
    """

    def __init__(self, *, room_bytes: int, pictures: int) -> None:
        self._memory = np.zeros(room_bytes, np.uint8)
        # The kernel provides a page of zeros only when it is written: do that now, not in the loop.
        self._memory.fill(1)
        self._entries: deque[_Entry] = deque()
        self._pictures = pictures
        self._next = self._end = 0
        self._lock = threading.Lock()

    @property
    def next_number(self) -> int:
        """The number of the next picture."""
        return self._next

    def add(self, timestamp_ns: int, size_px: tuple[int, int], jpeg: Array) -> bool:
        """Add a picture, dropping the oldest ones as needed.

        Args:
            timestamp_ns: Capture time of the sensor.
            size_px: (width, height).
            jpeg: (bytes,) uint8; copied.

        Returns:
            False if the picture is larger than the whole ring.
        """
        length = len(jpeg)
        if length > len(self._memory):
            return False
        with self._lock:
            # A JPEG is contiguous: one that does not fit behind the last starts over at 0.
            begin = self._end if self._end + length <= len(self._memory) else 0
            self._clear(begin, begin + length)
            self._memory[begin : begin + length] = jpeg
            self._entries.append(_Entry(self._next, timestamp_ns, *size_px, begin, begin + length))
            self._end = begin + length
            self._next += 1
        return True

    def get(self, number: int) -> Picture | None:
        """Return the picture with this number, or the oldest one after it that is still held.

        Args:
            number: At least 0.

        Returns:
            The picture with a copy of its JPEG; None if it does not exist yet.
        """
        with self._lock:
            if not self._entries or number >= self._next:
                return None
            entry = self._entries[max(0, number - self._entries[0].number)]
            jpeg = self._memory[entry.begin : entry.end].tobytes()
            return Picture(entry.number, entry.timestamp_ns, entry.width_px, entry.height_px, jpeg)

    def number_at(self, timestamp_ns: int) -> int:
        """Return the number of the first picture captured at a time or later.

        Args:
            timestamp_ns: Sensor time.

        Returns:
            The number; that of the next picture if none is that late.
        """
        with self._lock:
            for entry in self._entries:
                if entry.timestamp_ns >= timestamp_ns:
                    return entry.number
            return self._next

    def _clear(self, begin: int, end: int) -> None:
        """Drop the oldest pictures until `memory[begin:end]` and an entry are free."""
        if begin == 0 and self._end > 0:
            # The ring wraps around: the oldest pictures are behind the last one, at the end of the
            # memory. They do not overlap the new one, and would outlive newer ones.
            while self._entries and self._entries[0].begin >= self._end:
                self._entries.popleft()
        while self._entries and (len(self._entries) >= self._pictures or _overlaps(self._entries[0], begin, end)):
            self._entries.popleft()


def _overlaps(entry: _Entry, begin: int, end: int) -> bool:
    return entry.begin < end and begin < entry.end
