"""Plots of benchmark results: the distribution, the stages, the surroundings over time, threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.reporting.plots import ACCENT, OTHER, SIZE_INCH, finish, subplots
from edgevid.bench.result import Result
from edgevid.frames import Array
from edgevid.telemetry.latency import NONE
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_MS

# Distinct for the colour-blind: Okabe and Ito, Color Universal Design, 2008.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
_STACKED = {"preprocess": "#56b4e9", "encode": "#0072b2", "head": "#e69f00", "decide": "#009e73", "emit": "#cc79a7"}
_MOST_POINTS = 2000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A result with its raw samples, as `edgevid.bench.files` reads them."""

    name: str
    result: Result
    samples: Array


def tail_svg(measured: Mapping[str, Measured]) -> bytes:
    """Draw the share of frames that take longer, by time; both axes logarithmic, so that the tail is seen."""
    figure, axes = subplots(1, 1, size=SIZE_INCH)
    axis = axes[0, 0]
    for color, (name, each) in zip(_cycle(len(measured)), measured.items(), strict=True):
        times = np.sort(_times_ms(each, "total"))
        share = 1 - np.arange(len(times)) / len(times)
        # Evenly in the share, so that the few slowest are all there.
        shown = np.unique(len(times) - np.geomspace(1, len(times), min(_MOST_POINTS, len(times))).astype(int))
        axis.plot(times[shown], share[shown], color=color, label=_plain(name), drawstyle="steps-pre")
    axis.set_xscale("log")
    _few_ticks(axis.xaxis)
    axis.set_yscale("log")
    _legend(axis, len(measured))
    return finish(figure, axis, "ms a frame", "share that takes longer")


def stages_svg(measured: Mapping[str, Measured]) -> bytes:
    """Draw the medians of the stages, stacked, a bar for each result."""
    width, height = SIZE_INCH
    figure, axes = subplots(1, 1, size=(width, max(height, 0.9 + 0.42 * len(measured))))
    axis, names = axes[0, 0], list(map(_plain, measured))
    left = np.zeros(len(names))
    for stage, color in _STACKED.items():
        medians = [each.result.stages[stage].percentiles["p50"].value if stage in each.result.stages else 0.0
                   for each in measured.values()]  # fmt: skip
        axis.barh(names, medians, left=left, color=color, label=stage)
        left += medians
    totals = np.array([each.result.stages["total"].percentiles["p50"].value for each in measured.values()])
    axis.barh(names, np.maximum(0, totals - left), left=left, color="#b8c2cc", label="rest")
    axis.invert_yaxis()
    axis.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    return finish(figure, axis, "ms a frame, medians", "")


def time_svg(each: Measured) -> bytes:
    """Draw the latency over a result's frames, and below it heat or load over the same measurement."""
    width, height = SIZE_INCH
    figure, axes = subplots(2, 1, size=(width, 1.5 * height))
    above, below = axes[0, 0], axes[1, 0]
    times = _times_ms(each, "total")
    above.plot(np.linspace(0, 100, len(times)), times, color=ACCENT, linewidth=0, marker=",", rasterized=True)
    above.set_yscale("log")
    _few_ticks(above.yaxis)
    above.set_xlabel("% of the frames", fontsize=9)
    above.set_ylabel("ms a frame", fontsize=9)
    series = each.result.surroundings.series
    values, name = (
        (series.temperature_c, "°C") if series.temperature_c else (series.foreign_cores, "other programs' cores")
    )
    seconds = series.t_s[len(series.t_s) - len(values) :]
    below.plot(seconds, values, color=OTHER)
    below.set_ylim(bottom=0 if name != "°C" else None)
    if series.clock_mhz:
        clock = below.twinx()
        clock.plot(series.t_s[: len(series.clock_mhz)], series.clock_mhz, color=ACCENT, linestyle=":")
        clock.set_ylabel("MHz (dotted)", fontsize=9)
    return finish(figure, below, "s", name)


def threads_svg(measured: Mapping[str, Measured]) -> bytes | None:
    """Draw the median by number of threads with its ideal; None unless at least two numbers of one bundle are there."""
    by_bundle: dict[str, dict[int, float]] = {}
    for each in measured.values():
        of_bundle = by_bundle.setdefault(each.result.bundle.sha256, {})
        of_bundle[each.result.engine.threads] = each.result.stages["total"].percentiles["p50"].value
    scaled = {key: points for key, points in by_bundle.items() if len(points) > 1}
    if not scaled:
        return None
    figure, axes = subplots(1, 1, size=SIZE_INCH)
    axis = axes[0, 0]
    for color, points in zip(_cycle(len(scaled)), scaled.values(), strict=True):
        threads = sorted(points)
        axis.plot(threads, [points[count] for count in threads], color=color, marker="o", label="measured")
        ideal = [points[threads[0]] * threads[0] / count for count in threads]
        axis.plot(threads, ideal, color=color, linestyle=":", label="if threads cost nothing")
        axis.set_xticks(threads)
    axis.set_ylim(bottom=0)
    _legend(axis, 2)
    return finish(figure, axis, "threads", "ms a frame, median")


def _plain(name: str) -> str:
    # matplotlib reads what is between two dollar signs as a formula.
    return name.replace("$", r"\$")


def _times_ms(each: Measured, stage: str) -> Array:
    column = each.samples[:, 1 + list(STAGES).index(stage)]
    times: Array = column[column != NONE] / NS_PER_MS
    return times


def _few_ticks(axis: Any) -> None:
    """Label 1, 2 and 5 of each decade in plain numbers; the usual labels of a short logarithmic axis overlap."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _cycle(count: int) -> list[str]:
    return [COLORS[index % len(COLORS)] for index in range(count)]


def _legend(axis: object, count: int) -> None:
    axis.legend(  # type: ignore[attr-defined]
        frameon=False, fontsize=8, ncols=min(2, count), loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0
    )
