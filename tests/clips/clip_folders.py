"""Folders of clips in which a bright square moves in another direction for each class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.clips.videos import CODECS

LABELS = ("down", "left", "right")


def write_clip(path: Path, *, label: str, seed: int = 0, count: int = 30, fps: float = 25.0) -> Path:
    """Write a video of 48x64 in which a square moves as the label says.

    Args:
        path: An `.avi` or `.mp4`; its folder is made.
        label: One of `LABELS`.
        seed: Draws the background, the square's place and its speed.
        count: Frames.
        fps: Frames per second.
    """
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), fps, (64, 48))
    assert writer.isOpened(), path
    background = rng.integers(0, 90, (48, 64, 3)).astype(np.uint8)
    place, speed = rng.uniform(4, 24, 2), rng.uniform(0.8, 1.4)
    for index in range(count):
        frame = background.copy()
        moved = index * speed
        row, column = {"down": (moved, place[1]), "left": (place[0], 52 - moved), "right": (place[0], moved)}[label]
        frame[int(row) : int(row) + 10, max(int(column), 0) : int(column) + 10] = 240
        writer.write(frame)
    writer.release()
    return path


def write_folder(
    root: Path, *, each: int = 4, labels: tuple[str, ...] = LABELS, suffix: str = ".avi", count: int = 30
) -> Path:
    """Write `<root>/<label>/<subject>_<label>.avi`, `each` clips a class."""
    for label in labels:
        for number in range(each):
            write_clip(
                root / label / f"s{number}_{label}{suffix}",
                label=label,
                seed=100 * labels.index(label) + number,
                count=count,
            )
    return root
