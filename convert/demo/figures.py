"""Figures for reports, drawn by matplotlib as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convert.reporting.plots import png, subplots
from edgevid.frames import Pixels

_GOOD, _BAD = "#1a7f4b", "#c0392b"


@dataclass(frozen=True)
class TimelineStrip:
    """Frames of one clip with the model's answer.

    Attributes:
        frames: (N, H, W, 3) uint8 RGB, in order of time.
        caption: Truth and answer.
        right: Whether the answer is correct.
    """

    frames: Pixels
    caption: str
    right: bool


def strips_png(strips: Sequence[TimelineStrip]) -> bytes:
    """Draw clips as strips of frames, with the answer above each.

    Args:
        strips: At least one; all with the same number of frames.

    Returns:
        A PNG, with one clip per row.
    """
    count = max(len(strip.frames) for strip in strips)
    figure, axes = subplots(len(strips), 1, size=(13.0, 13.0 / count * len(strips) * 1.28))
    for axis, strip in zip(axes[:, 0], strips, strict=True):
        height, width = strip.frames.shape[1:3]
        gap = np.full((height, max(1, width // 24), 3), 255, np.uint8)
        columns = [column for frame in strip.frames for column in (frame, gap)]
        # Without the gap behind the last frame.
        axis.imshow(np.hstack(columns[:-1]), interpolation="nearest")
        axis.set_title(
            f"{'✓' if strip.right else '✗'}  {strip.caption}",
            loc="left",
            fontsize=10,
            color=_GOOD if strip.right else _BAD,
        )
        axis.axis("off")
    return png(figure)
