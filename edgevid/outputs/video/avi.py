"""A writer of Motion-JPEG AVI files, which every player and OpenCV can read.

JPEGs are stored unchanged. Offsets in the index count from the "movi" list.

Source: Microsoft, "AVI RIFF File Reference", for the chunks and their fields.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_HAS_INDEX, _KEYFRAME = 0x10, 0x10
_MICROSECONDS = 1_000_000
_DEFAULT_PERIOD_US = 100_000
_LIST_MOVI_BYTES = 4
_INDEX_ENTRY_BYTES = 16
_UNKNOWN_QUALITY = 0xFFFFFFFF


class AviWriter:
    """One video in one file.

    Args:
        file: Open for writing at its beginning; the caller closes it.
        width_px: Width of each picture.
        height_px: Height of each picture.

    Attributes:
        frames: The number of pictures written.
    """

    def __init__(self, file: BinaryIO, *, width_px: int, height_px: int) -> None:
        self.frames = 0
        self._file = file
        self._size_px = (width_px, height_px)
        self._index = bytearray()
        self._largest = self._movi_bytes = 0
        self._times_ns = (0, 0)
        # A placeholder of the final length: sizes and rate are not known yet.
        file.write(self._header())

    def add(self, jpeg: bytes, timestamp_ns: int) -> None:
        """Write one picture.

        Args:
            jpeg: A file of the video's size.
            timestamp_ns: Capture time. AVI has one frame rate, so only the first and last count.

        Raises:
            OSError: The disk is full.
        """
        offset = _LIST_MOVI_BYTES + self._movi_bytes
        # RIFF chunks have an even length; the size field excludes the padding.
        chunk = b"00dc" + struct.pack("<I", len(jpeg)) + jpeg + b"\0" * (len(jpeg) % 2)
        self._file.write(chunk)
        self._index += b"00dc" + struct.pack("<III", _KEYFRAME, offset, len(jpeg))
        self._movi_bytes += len(chunk)
        self._largest = max(self._largest, len(jpeg))
        self._times_ns = (self._times_ns[0] if self.frames else timestamp_ns, timestamp_ns)
        self.frames += 1

    def drop_last(self) -> None:
        """Remove the last picture, to make room for the index on a full disk."""
        _, offset, _ = struct.unpack("<III", self._index[-_INDEX_ENTRY_BYTES + 4 :])
        del self._index[-_INDEX_ENTRY_BYTES:]
        self._movi_bytes = offset - _LIST_MOVI_BYTES
        self.frames -= 1

    def finish(self) -> None:
        """Write the index, and replace the header by the final one.

        Raises:
            OSError: The disk is full.
        """
        # A picture that was written in part, or dropped, may follow the last whole one.
        self._file.seek(len(self._header()) + self._movi_bytes)
        self._file.truncate()
        self._file.write(b"idx1" + struct.pack("<I", len(self._index)) + self._index)
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, 2)

    @property
    def size_bytes(self) -> int:
        """Length of the file with its index so far."""
        return self._movi_bytes + len(self._index)

    @property
    def period_us(self) -> int:
        """Mean time between two pictures, in microseconds."""
        if self.frames < 2:
            return _DEFAULT_PERIOD_US
        first_ns, last_ns = self._times_ns
        return max(1, round((last_ns - first_ns) / (self.frames - 1) / 1000))

    def _header(self) -> bytes:
        """Return everything before the first picture."""
        width_px, height_px = self._size_px
        period_us = self.period_us
        rate = round(self._largest * _MICROSECONDS / period_us)
        # AVIMAINHEADER, AVISTREAMHEADER and BITMAPINFOHEADER, in this order.
        main = struct.pack(
            "<14I", period_us, rate, 0, _HAS_INDEX, self.frames, 0, 1, self._largest, width_px, height_px, 0, 0, 0, 0
        )
        stream = struct.pack(
            "<4s4sIHHIIIIIIII4H",
            b"vids", b"MJPG", 0, 0, 0, 0, period_us, _MICROSECONDS, 0, self.frames, self._largest, _UNKNOWN_QUALITY,
            0, 0, 0, width_px, height_px,
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
