"""Video files that tests write for themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}
_BITS, _BAR_PX = 12, 5


def write_video(path: Path, *, count: int = 20, fps: float = 25.0, height_px: int = 48, width_px: int = 64) -> Path:
    """Write a video whose frame `i` is a flat gray of `level(i)`, which survives any codec.

    Args:
        path: An `.avi` or `.mp4`; its folder is made.
        count: Frames.
        fps: Frames per second.
        height_px: Rows.
        width_px: Columns.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (width_px, height_px))
    assert writer.isOpened(), path
    for index in range(count):
        writer.write(np.full((height_px, width_px, 3), level(index), np.uint8))
    writer.release()
    return path


def level(index: int) -> int:
    """The gray of a frame: 12 apart, so that rounding in the codec cannot confuse two."""
    return 20 + 12 * (index % 18)


def write_numbered(path: Path, *, count: int, fps: float = 25.0) -> Path:
    """Write a video of 48x64 whose frame `i` shows the number i in black and white bars.

    Args:
        path: An `.avi` or `.mp4`; its folder is made.
        count: Frames, at most 4096.
        fps: Frames per second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (64, 48))
    assert writer.isOpened(), path
    for index in range(count):
        writer.write(numbered_picture(index))
    writer.release()
    return path


def numbered_picture(number: int) -> np.ndarray:
    """A picture (48, 64, 3) uint8 that shows a number."""
    picture = np.zeros((48, 64, 3), np.uint8)
    for bit in range(_BITS):
        picture[:, bit * _BAR_PX : (bit + 1) * _BAR_PX] = 255 * (number >> bit & 1)
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number that a decoded picture shows."""
    return sum(int(picture[24, bit * _BAR_PX + 2, 0] > 128) << bit for bit in range(_BITS))
