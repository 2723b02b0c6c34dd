"""Plots of events in long recordings: what other thresholds give, and how well events overlap the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convert.event_metrics.curves import CurvePoint
from convert.reporting.plots import ACCENT, OTHER, SIZE_INCH, finish, subplots

_RATE = "false alarms an hour"
# A rate of 0 has no place on a logarithmic axis.
_LINEAR_BELOW = 0.1


def misses_svg(curve: Sequence[CurvePoint], rule: tuple[float, float | None]) -> bytes:
    """Draw the share of missed events by false alarms an hour, one point a threshold.

    Args:
        curve: The points.
        rule: False alarms an hour and share of misses of the bundle's own rule; None for no share.
    """
    return _curve([(each.false_per_hour, each.missed) for each in curve], rule, "missed events")


def delay_svg(curve: Sequence[CurvePoint], rule: tuple[float, float | None]) -> bytes:
    """Draw the median delay by false alarms an hour, one point a threshold.

    Args:
        curve: The points.
        rule: False alarms an hour and delay of the bundle's own rule; None for no delay.
    """
    return _curve([(each.false_per_hour, each.delay_p50_s) for each in curve], rule, "announced after s")


def _curve(points: Sequence[tuple[float, float | None]], rule: tuple[float, float | None], up: str) -> bytes:
    figure, axes = subplots(1, 1, size=SIZE_INCH)
    axis, known = axes[0, 0], [(rate, value) for rate, value in points if value is not None]
    axis.plot(
        [rate for rate, _ in known], [value for _, value in known], color=ACCENT, marker=".", label="other thresholds"
    )
    if rule[1] is not None:
        axis.plot([rule[0]], [rule[1]], color=OTHER, marker="D", markersize=8, linestyle="", label="this rule")
    axis.set_xscale("symlog", linthresh=_LINEAR_BELOW)
    axis.set_xlim(left=-_LINEAR_BELOW / 4)
    highest = max((value for _, value in known), default=1.0)
    axis.set_ylim(-0.04 * max(highest, 0.1), max(highest, 0.1) * 1.1)
    axis.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    return finish(figure, axis, _RATE, up)


def overlap_svg(f1: Mapping[str, float], average_precision: Mapping[str, float | None]) -> bytes:
    """Draw F1 and mean average precision by least overlap."""
    figure, axes = subplots(1, 1, size=SIZE_INCH)
    axis = axes[0, 0]
    axis.plot(list(map(float, f1)), list(f1.values()), color=ACCENT, marker="o", label="F1")
    known = {float(overlap): value for overlap, value in average_precision.items() if value is not None}
    if known:
        axis.plot(list(known), list(known.values()), color=OTHER, marker="s", linestyle="--", label="mAP")
    axis.set_ylim(0, 1.02)
    axis.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    return finish(figure, axis, "least overlap with a true event", "")
