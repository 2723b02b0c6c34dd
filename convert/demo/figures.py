"""Pictures for reports, as PNG bytes, by matplotlib without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevid.events.decide import Event
from edgevid.events.timeline import Interval
from edgevid.frames import Array, Pixels

_INK, _FAINT, _GOOD, _BAD = "#1f2933", "#d5dae0", "#1a7f4b", "#c0392b"
_DPI = 110
_ROW_S = 30.0
# Tableau's ten, in matplotlib's order; gray is kept for the background class.
_COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#ff9da7", "#9c755f")
_GRAY = "#aab2bd"


@dataclass(frozen=True)
class TimelineStrip:
    """Frames of one clip with what was answered.

    Attributes:
        frames: (N, H, W, 3) uint8 RGB, in order of time.
        caption: Truth and answer.
        right: Whether they agree.
    """

    frames: Pixels
    caption: str
    right: bool


def label_colors(labels: Sequence[str], background: Sequence[str] = ()) -> dict[str, str]:
    """Give each label its color, the same in every picture.

    Args:
        labels: All labels.
        background: Those that are never events; gray.

    Returns:
        Label to a color as matplotlib and HTML take it.
    """
    loud = [label for label in labels if label not in background]
    return {
        **dict.fromkeys(background, _GRAY),
        **{label: _COLORS[index % len(_COLORS)] for index, label in enumerate(loud)},
    }


def timeline_png(
    times_s: Array,
    scores: Array,
    labels: Sequence[str],
    *,
    events: Sequence[Event],
    truth: Sequence[Interval],
    background: Sequence[str] = (),
) -> bytes:
    """Draw the probabilities over time, with events and truth as bands above them, half a minute a row.

    Args:
        times_s: (N,) time of each decision.
        scores: (N, classes) probabilities.
        labels: One a class.
        events: What was reported.
        truth: What really was.
        background: Labels that are never events.

    Returns:
        A PNG.
    """
    colors = label_colors(labels, background)
    rows = max(1, int(np.ceil((float(times_s[-1]) + 1e-6) / _ROW_S)))
    figure, axes = _subplots(rows, 1, size=(13.0, 2.1 * rows + 0.6))
    for row, axis in enumerate(axes[:, 0]):
        for index, label in enumerate(labels):
            quiet = label in background
            axis.plot(
                times_s,
                scores[:, index],
                color=colors[label],
                linewidth=1.0 if quiet else 1.8,
                alpha=0.7 if quiet else 1.0,
                label=label,
            )
        _bands(axis, truth, colors, bottom=1.32)
        _bands(axis, events, colors, bottom=1.08)
        _frame_timeline(axis, row * _ROW_S)
    axes[-1, 0].set_xlabel("seconds")
    axes[0, 0].legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=len(labels), frameon=False, fontsize=9, handlelength=1.2
    )
    return _png(figure)


def _bands(axis: Any, intervals: Sequence[Interval], colors: Mapping[str, str], *, bottom: float) -> None:
    for interval in intervals:
        axis.broken_barh(
            [(interval.start_s, interval.end_s - interval.start_s)],
            (bottom, 0.18),
            color=colors.get(interval.label, _INK),
        )


def _frame_timeline(axis: Any, start_s: float) -> None:
    axis.set_xlim(start_s, start_s + _ROW_S)
    axis.set_ylim(-0.02, 1.56)
    axis.set_yticks([0.0, 0.5, 1.0, 1.17, 1.41], ["0", "0.5", "1", "events", "truth"])
    axis.axhline(1.02, color=_FAINT, linewidth=0.8)
    axis.grid(axis="x", color=_FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


def strips_png(strips: Sequence[TimelineStrip]) -> bytes:
    """Draw clips as strips of frames, one a row, with what was answered beneath.

    Args:
        strips: At least one, each of as many frames.

    Returns:
        A PNG.
    """
    count = max(len(strip.frames) for strip in strips)
    figure, axes = _subplots(len(strips), 1, size=(13.0, 13.0 / count * len(strips) * 1.28))
    for axis, strip in zip(axes[:, 0], strips, strict=True):
        height, width = strip.frames.shape[1:3]
        gap = np.full((height, max(1, width // 24), 3), 255, np.uint8)
        pieces = [piece for frame in strip.frames for piece in (frame, gap)]
        axis.imshow(np.hstack(pieces[:-1]), interpolation="nearest")
        axis.set_title(
            f"{'✓' if strip.right else '✗'}  {strip.caption}",
            loc="left",
            fontsize=10,
            color=_GOOD if strip.right else _BAD,
        )
        axis.axis("off")
    return _png(figure)


def _subplots(rows: int, columns: int, *, size: tuple[float, float]) -> tuple[Any, Any]:
    """Make a figure that no display and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        for side in axis.spines.values():
            side.set_color(_FAINT)
        axis.tick_params(colors=_INK, labelsize=9)
    return figure, axes


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
