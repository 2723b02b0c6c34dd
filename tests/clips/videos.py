"""Video files that tests write for themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}


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
