"""Figures for reports, drawn by matplotlib as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.reporting.plots import FAINT, INK, png, subplots
from edgevid.events.decide import Event
from edgevid.events.timeline import Interval
from edgevid.frames import Array, Pixels

_GOOD, _BAD = "#1a7f4b", "#c0392b"
# Each row of a timeline shows half a minute.
_ROW_S = 30.0
# In a row, probabilities reach from 0 to 1; the bands of events and truth are above them.
_EVENTS_Y, _TRUTH_Y, _BAND_HEIGHT = 1.08, 1.32, 0.18
# The colours of Tableau 10 without its gray, which is that of the background class.
_COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#ff9da7", "#9c755f")
_GRAY = "#aab2bd"


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


def label_colors(labels: Sequence[str], background: Sequence[str] = ()) -> dict[str, str]:
    """Assign a color to each label, the same in every figure.

    Args:
        labels: All labels.
        background: Labels that are never events; they are gray.

    Returns:
        A map from label to color, in the notation of matplotlib and HTML.
    """
    foreground = [label for label in labels if label not in background]
    colors = {label: _COLORS[index % len(_COLORS)] for index, label in enumerate(foreground)}
    return {**dict.fromkeys(background, _GRAY), **colors}


def timeline_png(
    times_s: Array,
    scores: Array,
    labels: Sequence[str],
    *,
    events: Sequence[Event],
    truth: Sequence[Interval],
    background: Sequence[str] = (),
) -> bytes:
    """Draw the probabilities over time, with events and truth as bands above them.

    Args:
        times_s: (N,) time of each decision in seconds.
        scores: (N, classes) probabilities.
        labels: One label per class.
        events: The reported events.
        truth: The true events.
        background: Labels that are never events.

    Returns:
        A PNG, with half a minute per row.
    """
    colors = label_colors(labels, background)
    rows = max(1, int(np.ceil((float(times_s[-1]) + 1e-6) / _ROW_S)))
    figure, axes = subplots(rows, 1, size=(13.0, 2.1 * rows + 0.6))
    for row, axis in enumerate(axes[:, 0]):
        # Every row plots everything, and `_format_row` shows its own half minute.
        for index, label in enumerate(labels):
            is_background = label in background
            axis.plot(
                times_s,
                scores[:, index],
                color=colors[label],
                linewidth=1.0 if is_background else 1.8,
                alpha=0.7 if is_background else 1.0,
                label=label,
            )
        _draw_bands(axis, truth, colors, bottom=_TRUTH_Y)
        _draw_bands(axis, events, colors, bottom=_EVENTS_Y)
        _format_row(axis, row * _ROW_S)
    axes[-1, 0].set_xlabel("seconds")
    axes[0, 0].legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=len(labels), frameon=False, fontsize=9, handlelength=1.2
    )
    return png(figure)


def _draw_bands(axis: Any, intervals: Sequence[Interval], colors: Mapping[str, str], *, bottom: float) -> None:
    for interval in intervals:
        axis.broken_barh(
            [(interval.start_s, interval.end_s - interval.start_s)],
            (bottom, _BAND_HEIGHT),
            color=colors.get(interval.label, INK),
        )


def _format_row(axis: Any, start_s: float) -> None:
    middles = [bottom + _BAND_HEIGHT / 2 for bottom in (_EVENTS_Y, _TRUTH_Y)]
    axis.set_xlim(start_s, start_s + _ROW_S)
    axis.set_ylim(-0.02, 1.56)
    axis.set_yticks([0.0, 0.5, 1.0, *middles], ["0", "0.5", "1", "events", "truth"])
    axis.axhline(1.02, color=FAINT, linewidth=0.8)
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


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
