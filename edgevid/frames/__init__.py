"""A frame: one picture (or one feature vector) and when the sensor saw it."""

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
    """One picture, or one row of a feature sequence, as a source gives it.

    Attributes:
        data: (H, W, C) uint8 for a picture with C 3, or 1 for "gray"; (F,) float32 with color "none" for a feature vector. The source owns
            the buffer and may overwrite it when the next frame is asked for.
        color: Order of the channels in `data`.
        timestamp_ns: When the sensor took it, on the source's own monotonic clock.
        index: Count of frames the source has seen, from 0; a jump is a drop at the source.
    """

    data: Array
    color: Color
    timestamp_ns: int
    index: int
