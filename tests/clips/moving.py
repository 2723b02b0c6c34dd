"""Clips whose classes differ by motion alone: a bright block that moves left, right, or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from convert.clips import Clip, ClipRef, ClipSet
from edgevid.frames import Pixels
from tests.clips.videos import CODECS

CLASSES = ("left", "right", "still")
_STEPS = {"left": -1, "right": 1, "still": 0}


def moving_frames(label: str, *, seed: int, count: int = 12, size_px: int = 32) -> Pixels:
    """Frames (count, size, size, 3) uint8 of one clip; each still frame could be of any class."""
    rng = np.random.default_rng((seed, CLASSES.index(label)))
    top, phase = int(rng.integers(4, size_px - 12)), int(rng.integers(size_px))
    frames = np.full((count, size_px, size_px, 3), 40, np.uint8)
    for index, frame in enumerate(frames):
        columns = (phase + 2 * _STEPS[label] * index + np.arange(8)) % size_px
        frame[top : top + 8, columns] = 220
    return frames


def moving_clip(
    label: str, *, seed: int, group: str = "", count: int = 12, size_px: int = 32, fps: float = 10.0
) -> Clip:
    """One clip in memory."""
    stamps = np.array([round(index * 1e9 / fps) for index in range(count)], np.int64)
    return Clip(
        ClipRef(Path(f"{label}/{group or 'clip'}_{seed}.avi"), label, group),
        moving_frames(label, seed=seed, count=count, size_px=size_px),
        stamps,
    )


def moving_clips(
    per_class: int, *, first_seed: int = 0, classes: tuple[str, ...] = CLASSES, **options: object
) -> ClipSet:
    """Clips of every class."""
    return ClipSet(
        tuple(moving_clip(label, seed=first_seed + seed, **options) for label in classes for seed in range(per_class))
    )  # type: ignore[arg-type]


def write_moving(root: Path, per_class: int, *, first_seed: int = 0, classes: tuple[str, ...] = CLASSES) -> Path:
    """The same as files `<class>/<subject>_<seed>.avi`, of two subjects by turns."""
    for label in classes:
        for seed in range(first_seed, first_seed + per_class):
            path = root / label / f"{'ann' if seed % 2 else 'bob'}_{seed}.avi"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[".avi"]), 10.0, (32, 32))
            for frame in moving_frames(label, seed=seed):
                writer.write(frame)
            writer.release()
    return root
