"""Plots for reports, drawn by matplotlib: as SVG for a page that fits a phone, as PNG for large figures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert.training.cross_validation import LearningCurve
    from convert.training.fitting.epoch import Epoch

INK, FAINT = "#1f2933", "#d5dae0"
ACCENT, OTHER = "#1f5f99", "#b7791f"
_DPI = 110
# As wide as a phone, so that its letters are legible there.
SIZE_INCH = (4.2, 2.5)


def subplots(rows: int, columns: int, *, size: tuple[float, float]) -> tuple[Any, Any]:
    """Create a figure with its axes.

    Args:
        rows: Rows of axes.
        columns: Columns of axes.
        size: (width, height) of the figure in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not through pyplot, which keeps every figure and may look for a display.
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        for side in axis.spines.values():
            side.set_color(FAINT)
        axis.tick_params(colors=INK, labelsize=9)
    return figure, axes


def png(figure: Any) -> bytes:
    """Return a figure as a PNG."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def svg(figure: Any) -> bytes:
    """Return a figure as an SVG, the same bytes for the same figure."""
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "edgevid"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def loss_svg(history: Sequence[Epoch]) -> bytes:
    """Draw the loss of each epoch, on training windows and on held-out clips if there are any."""
    return _epochs(history, [epoch.loss for epoch in history], [epoch.val_loss for epoch in history], "loss")


def accuracy_svg(history: Sequence[Epoch]) -> bytes:
    """Draw the accuracy of each epoch, on training windows and on held-out clips if there are any."""
    return _epochs(
        history, [epoch.accuracy for epoch in history], [epoch.val_accuracy for epoch in history], "accuracy"
    )


def _epochs(history: Sequence[Epoch], training: Sequence[float], held_out: Sequence[float | None], name: str) -> bytes:
    figure, axes = subplots(1, 1, size=SIZE_INCH)
    axis, numbers = axes[0, 0], [epoch.number for epoch in history]
    # A training of one epoch is a point, which a line would not show.
    mark = "." if len(numbers) == 1 else ""
    axis.plot(numbers, training, color=ACCENT, marker=mark, label="training")
    if None not in held_out:
        axis.plot(numbers, held_out, color=OTHER, marker=mark, label="held out")
    axis.set_ylim(0, 1.02 if name == "accuracy" else None)
    axis.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    return finish(figure, axis, "epoch", name)


def learning_curve_svg(curve: LearningCurve, chance: float) -> bytes:
    """Draw the accuracy with its interval by the number of clips of each class.

    Args:
        curve: The measured curve.
        chance: Accuracy of always answering the most frequent class, a dotted line.
    """
    figure, axes = subplots(1, 1, size=SIZE_INCH)
    axis, scores = axes[0, 0], [each.score for each in curve.points]
    counts = [each.clips_per_class for each in curve.points]
    below = [score.accuracy - score.low for score in scores]
    above = [score.high - score.accuracy for score in scores]
    axis.set_xscale("log", base=2)
    axis.errorbar(
        counts, [score.accuracy for score in scores], yerr=(below, above), color=ACCENT, marker="o", capsize=4
    )
    axis.axhline(chance, color=OTHER, linestyle=":", label="most frequent class")
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.minorticks_off()
    axis.set_ylim(0, 1.02)
    # Above the axes, where no point can be.
    axis.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    return finish(figure, axis, "clips of each class", "held-out accuracy")


def finish(figure: Any, axis: Any, across: str, up: str) -> bytes:
    """Name the axes of a plot, and return it as an SVG.

    Args:
        figure: From `subplots`.
        axis: Its axes.
        across: Name of the horizontal axis.
        up: Name of the vertical one.
    """
    axis.set_xlabel(across, fontsize=10, color=INK)
    axis.set_ylabel(up, fontsize=10, color=INK)
    axis.grid(color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    return svg(figure)
