"""Writes JPEGs as a Motion-JPEG AVI file, which every player and OpenCV read: the pictures go in as they are.

Source: Microsoft, "AVI RIFF File Reference", for the chunks and their fields; the index has offsets from the list "movi".
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_HAS_INDEX, _KEYFRAME = 0x10, 0x10
_MICROSECONDS = 1_000_000
_DEFAULT_PERIOD_US = 100_000
_LIST_MOVI_BYTES = 4


class AviWriter:
    """One video in one file.

    Args:
        file: Open for writing from its beginning; the caller closes it.
        width_px: Columns of each picture.
        height_px: Rows.

    Attributes:
        frames: Pictures written.
    """

    def __init__(self, file: BinaryIO, *, width_px: int, height_px: int) -> None:
        self.frames = 0
        self._file = file
        self._size_px = (width_px, height_px)
        self._index = bytearray()
        self._largest = self._movi_bytes = 0
        self._times_ns = (0, 0)
        file.write(self._header())

    def add(self, jpeg: bytes, timestamp_ns: int) -> None:
        """Write one picture.

        Args:
            jpeg: Of the video's size.
            timestamp_ns: When it was taken; a file has one frame rate, so only the first and last count.

        Raises:
            OSError: The disk is full.
        """
        offset = _LIST_MOVI_BYTES + self._movi_bytes
        chunk = b"00dc" + struct.pack("<I", len(jpeg)) + jpeg + b"\0" * (len(jpeg) % 2)
        self._file.write(chunk)
        self._index += b"00dc" + struct.pack("<III", _KEYFRAME, offset, len(jpeg))
        self._movi_bytes += len(chunk)
        self._largest = max(self._largest, len(jpeg))
        self._times_ns = (self._times_ns[0] if self.frames else timestamp_ns, timestamp_ns)
        self.frames += 1

    def finish(self) -> None:
        """Write the index, and the header with what is known now.

        Raises:
            OSError: The disk is full.
        """
        self._file.write(b"idx1" + struct.pack("<I", len(self._index)) + self._index)
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, 2)

    @property
    def period_us(self) -> int:
        """Microseconds between two pictures, on average."""
        first_ns, last_ns = self._times_ns
        return max(1, round((last_ns - first_ns) / (self.frames - 1) / 1000)) if self.frames > 1 else _DEFAULT_PERIOD_US

    def _header(self) -> bytes:
        """Everything before the first picture."""
        width_px, height_px = self._size_px
        period_us = self.period_us
        rate = round(self._largest * _MICROSECONDS / period_us)
        main = struct.pack(
            "<14I", period_us, rate, 0, _HAS_INDEX, self.frames, 0, 1, self._largest, width_px, height_px, 0, 0, 0, 0
        )
        stream = struct.pack(
            "<4s4sIHHIIIIIIII4H",
            b"vids", b"MJPG", 0, 0, 0, 0, period_us, _MICROSECONDS, 0, self.frames, self._largest, 0xFFFFFFFF, 0, 0, 0, width_px, height_px,
        )  # fmt: skip
        picture = struct.pack(
            "<IiiHH4sIiiII", 40, width_px, height_px, 1, 24, b"MJPG", width_px * height_px * 3, 0, 0, 0, 0
        )
        streams = _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", picture))
        headers = _list(b"hdrl", _chunk(b"avih", main) + streams)
        movi = b"LIST" + struct.pack("<I", _LIST_MOVI_BYTES + self._movi_bytes) + b"movi"
        size = 4 + len(headers) + len(movi) + self._movi_bytes + 8 + len(self._index)
        return b"RIFF" + struct.pack("<I", size) + b"AVI " + headers + movi


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)
