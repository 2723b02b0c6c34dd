"""Videos whose pictures are flagged as interlaced, made from progressive MPEG-2 by its flags alone."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from tests.clips.videos import level

# ISO/IEC 13818-2, 6.2.2.3 and 6.2.3.1: the extensions' identifiers follow the start code B5.
_SEQUENCE = re.compile(rb"\x00\x00\x01\xb5[\x10-\x1f]", re.DOTALL)
_PICTURE = re.compile(rb"\x00\x00\x01\xb5[\x80-\x8f]", re.DOTALL)


def write_interlaced(path: Path, *, first: int = 0, count: int = 20, same: bool = False) -> Path:
    """Write an MPEG-2 video of 64x64 in which the pictures from `first` on are flagged as interlaced.

    Args:
        path: An `.avi`; its folder exists.
        first: Number of progressive pictures before.
        count: Pictures.
        same: Whether all pictures are equal; else picture `i` is a gray of `level(i)`.
    """
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mpg2"), 25.0, (64, 64))
    assert writer.isOpened(), path
    for index in range(count):
        writer.write(np.full((64, 64, 3), level(0 if same else index), np.uint8))
    writer.release()
    content = bytearray(path.read_bytes())
    for match in _SEQUENCE.finditer(bytes(content)):
        content[match.start() + 5] &= 0xFF - 0x08  # progressive_sequence
    for match in list(_PICTURE.finditer(bytes(content)))[first:]:
        content[match.start() + 8] &= 0x7F  # progressive_frame
    path.write_bytes(content)
    return path
