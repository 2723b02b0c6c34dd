"""What each hand-written peer needs around its runtime: a window of frames or of features, and quantisation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Push = Callable[[Array], Array | None]


def pixels_to_input(dtype: Any, scale: float, zero_point: int) -> Callable[[Array], Array]:
    """Return how pixels become a model's input: p / 255, quantised by a table if the input is int8."""
    if np.dtype(dtype) == np.float32:
        return lambda pixels: pixels.astype(np.float32) / np.float32(255.0)
    info = np.iinfo(dtype)
    levels = np.arange(256) / 255.0
    table = np.clip(np.rint(levels / scale) + zero_point, info.min, info.max).astype(dtype)
    return lambda pixels: table[pixels]


def whole_window(run: Callable[[Array], Array], prepare: Callable[[Array], Array], *, length: int) -> Push:
    """Return a peer that keeps the last frames in a deque and runs the whole model for each.

    Args:
        run: (1, T, H, W, C) to scores.
        prepare: One frame of uint8 to the model's input; each frame is prepared once.
        length: Frames of the window.
    """
    frames: deque[Array] = deque(maxlen=length)

    def push(frame: Array) -> Array | None:
        frames.append(prepare(frame))
        return run(np.stack(frames)[None]) if len(frames) == length else None

    return push


def feature_cache(encode: Callable[[Array], Array], head: Callable[[Array], Array], *, length: int) -> Push:
    """Return a peer that encodes each frame once, shifts it into an array of features, and runs the head on these.

    Args:
        encode: One frame of uint8 to (F,) of the head's type.
        head: (1, T, F) to scores.
        length: Frames of the window.
    """
    ring: Array | None = None
    count = 0

    def push(frame: Array) -> Array | None:
        nonlocal ring, count
        row = encode(frame)
        if ring is None:
            ring = np.zeros((1, length, *row.shape), row.dtype)
        ring[0, :-1] = ring[0, 1:]
        ring[0, -1] = row
        count += 1
        return head(ring) if count >= length else None

    return push
