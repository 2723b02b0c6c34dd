"""Videos whose container asks the player to turn them, as phones write them."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

# ISO/IEC 14496-12, 8.3.2: a track header of version 0 has 40 bytes between its name and its matrix.
_MATRIX_AT = 4 + 40
_ONE = 0x10000
# Rows (a, b, u), (c, d, v), (x, y, w) of a quarter turn clockwise.
_QUARTER = (0, _ONE, 0, -_ONE, 0, 0, 48 * _ONE, 0, 0x40000000)


def write_turned(path: Path, *, count: int = 6) -> Path:
    """Write an MP4 of 64x48 stored, with a white top left corner, that asks for a quarter turn clockwise.

    Args:
        path: An `.mp4`; its folder exists.
        count: Pictures.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    assert writer.isOpened(), path
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 255
    for _ in range(count):
        writer.write(picture)
    writer.release()
    content = bytearray(path.read_bytes())
    struct.pack_into(">9i", content, content.index(b"tkhd") + _MATRIX_AT, *_QUARTER)
    path.write_bytes(content)
    return path
