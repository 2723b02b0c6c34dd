"""Frames: pictures or feature vectors with the time of their capture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Color = Literal["rgb", "bgr", "gray", "none"]

Array = NDArray[Any]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, or one row of a feature sequence, from a source.

    Attributes:
        data: A picture (H, W, C) uint8, with C = 3, or 1 for "gray"; or a feature vector (F,)
            float32 with color "none". The source owns the buffer and may overwrite it once the
            caller requests the next frame.
        color: Channel order of `data`.
        timestamp_ns: Capture time on the source's own monotonic clock.
        index: Running number of the frame at the source, from 0. A jump means that the source
            dropped frames.
    """

    data: Array
    color: Color
    timestamp_ns: int
    index: int
