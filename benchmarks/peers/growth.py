"""How the cost of a decision grows with the window and with the size of a frame: numbers and a drawing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import EDGEVID, EDGEVID_FLOAT, PEERS, Peer
from benchmarks.peers.models import OVER_FRAMES, OVER_SIZE, Subject
from benchmarks.peers.rounds import Runs

# One of each kind; more lines would hide each other, and ONNX files take minutes to make.
_DRAWN = (
    EDGEVID,
    EDGEVID_FLOAT,
    "TFLite, feature cache by hand, float",
    "TFLite, whole window, int8",
    "TFLite, whole window, float",
)
DRAWN: tuple[Peer, ...] = tuple(peer for peer in PEERS if peer.name in _DRAWN)
Growth = dict[str, dict[str, dict[str, float]]]


def measure(run: Callable[[Subject, Sequence[Peer]], Mapping[str, Runs]]) -> Growth:
    """Measure the drawn peers over windows and over sizes.

    Args:
        run: Makes and measures one model.

    Returns:
        "frames" and "size", each with the microseconds of the processor by peer and by number.
    """
    growth: Growth = {}
    for axis, subjects in (("frames", OVER_FRAMES), ("size", OVER_SIZE)):
        lines: dict[str, dict[str, float]] = {peer.name: {} for peer in DRAWN}
        for subject in subjects:
            for name, runs in run(subject, DRAWN).items():
                if runs.cpu_us:
                    lines[name][str(getattr(subject, axis))] = round(statistics.median(runs.cpu_us.values()), 1)
        growth[axis] = lines
    return growth


def draw(growth: Growth, path: Path) -> None:
    """Draw both, one beside the other, as an SVG that is the same for the same numbers.

    Args:
        growth: As from `measure`.
        path: The file.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "peers", "svg.fonttype": "path", "font.size": 9}):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        titles = ("LRCN, 64x64: frames of the window", "LRCN, T=20: height and width of a frame, pixels")
        for place, axis, title in zip(axes, ("frames", "size"), titles, strict=True):
            _lines(place, growth[axis], title)
        axes[0].set_ylabel("microseconds of the processor a decision")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _lines(place: Any, lines: Mapping[str, Mapping[str, float]], title: str) -> None:
    for name, points in lines.items():
        bold = name in (EDGEVID, EDGEVID_FLOAT)
        xs = [int(each) for each in points]
        place.plot(xs, list(points.values()), marker="o", label=name, linewidth=2.5 if bold else 1.0, markersize=4)
    ticks = sorted({int(each) for points in lines.values() for each in points})
    place.set(xscale="log", yscale="log", xlabel=title)
    place.set_xticks(ticks, [str(each) for each in ticks])
    place.minorticks_off()
    place.grid(alpha=0.3)
