"""A video that browsers play."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_webm(path: Path, *, seconds: float, fps: float = 10.0) -> Path:
    """Write VP8 in WebM, a gray that grows lighter.

    Args:
        path: A `.webm`; its folder is made.
        seconds: Length.
        fps: Frames per second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), fps, (64, 48))
    assert writer.isOpened(), path
    count = round(seconds * fps)
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 + 200 * index // count, np.uint8))
    writer.release()
    return path
