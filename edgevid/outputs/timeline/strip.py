"""A recording as a strip of HTML: bands for truth and events above the curve of each score, in rows.

The strip needs no script to be read. `static/timeline.js` plays the seconds that a person clicks on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np

from edgevid.frames import Array
from edgevid.outputs.timeline.clock import clock_text
from edgevid.outputs.timeline.colors import GRAY
from edgevid.outputs.timeline.sketch import ScoreSketch

Kind = Literal["event", "hit", "false", "found", "missed"]
# More rows than this are not read, but scrolled past.
MOST_ROWS = 60
MOST_CURVES, MOST_MARKS = 8, 2000
_TICKS = 6
_TICK_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200, 14400, 43200, 86400)
# Of a curve in a row. Phones show fewer pixels, screens not many more.
_COLUMNS, _HEIGHT = 480, 100
# Half of a pixel: smaller changes would only make the page larger.
_LEVELS = 50
# No decision for so long: the curve has a hole.
_HOLE_S = 2.0
_MEANINGS: Mapping[Kind, str] = {
    "event": "event",
    "hit": "right event",
    "false": "✗ false alarm",
    "found": "true, found",
    "missed": "? true, missed",
}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A stretch of time with a label.

    Attributes:
        label: Its class.
        start_s: Start in seconds.
        end_s: End in seconds.
        kind: What it is: an event without a truth, a right or false one, or a true one.
        text: What is said of it; plain text.
        shots: Name of its pictures in the page; "" without any.
    """

    label: str
    start_s: float
    end_s: float
    kind: Kind
    text: str
    shots: str = ""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """What is drawn of one recording.

    Attributes:
        name: The recording, for people.
        start_s: Time at which it begins, in seconds.
        end_s: Time at which it ends.
        lanes: Bands from top to bottom by their name, such as "truth" and "events".
        curves: The scores.
        colors: Color of each label.
        background: Labels that are never events.
        video: Address of the video relative to the page; "" if there is none.
        title: Heading of the strip; the name where it is empty.
        note: Text below it, such as what it lacks.
    """

    name: str
    start_s: float = 0.0
    end_s: float
    lanes: Mapping[str, Sequence[Mark]]
    curves: ScoreSketch
    colors: Mapping[str, str]
    background: Sequence[str] = ()
    video: str = ""
    title: str = ""
    note: str = ""


def row_span_s(length_s: float) -> float:
    """Return how many seconds a row shows.

    Args:
        length_s: Length of the recording.

    Returns:
        A minute for recordings of up to ten, then 5 and 10 minutes, such that there are at most
        `MOST_ROWS` rows. A recording below a minute is one row.
    """
    if length_s <= 60:
        return max(10.0, 10.0 * math.ceil(length_s / 10))
    for longest_s, span_s in ((600, 60.0), (3600, 300.0), (MOST_ROWS * 600, 600.0)):
        if length_s <= longest_s:
            return span_s
    return 600.0 * math.ceil(length_s / (MOST_ROWS * 600))


def rows_of(strip: Strip) -> list[tuple[float, float]]:
    """Return the first second and the length of each row."""
    span_s = row_span_s(strip.end_s - strip.start_s)
    first_s = span_s * math.floor(strip.start_s / span_s)
    count = max(1, math.ceil((strip.end_s - first_s - 1e-6) / span_s))
    return [(first_s + index * span_s, span_s) for index in range(count)]


def strip_html(strip: Strip) -> str:
    """Draw a recording as HTML, with what is left out named below it."""
    labels = curve_labels(strip)
    lanes = {name: marks[:MOST_MARKS] for name, marks in strip.lanes.items()}
    rows = "".join(_row(strip, lanes, labels, from_s, span_s) for from_s, span_s in rows_of(strip))
    name = escape(strip.title or strip.name)
    heading = f'<a href="{escape(strip.video)}">{name}</a>' if strip.video else name
    return (
        f'<div class="tl" data-name="{escape(strip.name)}" data-video="{escape(strip.video)}">\n'
        f'<h3 class="tl-name">{heading} <span class="soft">{clock_text(strip.end_s - strip.start_s)}</span></h3>\n'
        f'<div class="tl-scroll"><div class="tl-rows">\n{rows}</div></div>\n'
        f"{_left_out(strip, labels)}</div>\n"
    )


def legend_html(colors: Mapping[str, str], kinds: Sequence[Kind] = ()) -> str:
    """Explain colors and forms of the marks.

    Args:
        colors: Color of each label.
        kinds: The kinds to explain.
    """
    labels = "".join(
        f'<span><i class="tl-key" style="--c:{color}"></i>{escape(label)}</span>' for label, color in colors.items()
    )
    forms = "".join(
        f'<span><i class="tl-key tl-{kind}" style="--c:{GRAY}"></i>{_MEANINGS[kind]}</span>' for kind in kinds
    )
    return "".join(f'<div class="tl-legend">{each}</div>\n' for each in (labels, forms) if each)


def curve_labels(strip: Strip) -> list[int]:
    """Return the indices of the classes whose curves are drawn: those of the marks, then the highest."""
    sketch = strip.curves
    marked = {mark.label for marks in strip.lanes.values() for mark in marks}
    highest = sketch.highest()
    order = sorted(
        range(len(sketch.labels)),
        key=lambda index: (
            sketch.labels[index] in strip.background,
            sketch.labels[index] not in marked,
            -highest[index],
        ),
    )
    return order[:MOST_CURVES]


def shown_colors(strip: Strip) -> dict[str, str]:
    """Return the color of each label that a strip shows, for its legend."""
    drawn = {strip.curves.labels[index] for index in curve_labels(strip)}
    marked = {mark.label for marks in strip.lanes.values() for mark in marks}
    return {label: color for label, color in strip.colors.items() if label in drawn | marked}


def _left_out(strip: Strip, labels: Sequence[int]) -> str:
    notes = [strip.note] if strip.note else []
    if len(strip.curves.labels) > len(labels):
        notes.append(f"{len(strip.curves.labels) - len(labels)} classes with lower scores have no curve here.")
    notes += [
        f"The last {len(marks) - MOST_MARKS} of {len(marks)} {name} are not drawn."
        for name, marks in strip.lanes.items()
        if len(marks) > MOST_MARKS
    ]
    return f'<p class="soft">{escape(" ".join(notes))}</p>\n' if notes else ""


def _row(strip: Strip, lanes: Mapping[str, Sequence[Mark]], labels: Sequence[int], from_s: float, span_s: float) -> str:
    step_s = _tick_step_s(span_s)
    sides = "".join(f"<span>{escape(name)}</span>" for name in lanes)
    bands = "".join(
        f'<div class="tl-lane">{"".join(_band(strip, mark, from_s, span_s) for mark in marks)}</div>'
        for marks in lanes.values()
    )
    ticks = "".join(
        f'<span style="left:{100 * index * step_s / span_s:.2f}%">{clock_text(from_s + index * step_s)}</span>'
        for index in range(math.ceil(span_s / step_s))
    )
    over = (from_s + span_s - strip.end_s) / span_s
    end = f'<i class="tl-over" style="left:{100 * (1 - over):.2f}%"></i>' if over > 0 else ""
    return (
        f'<div class="tl-row"><div class="tl-side">{sides}<span class="tl-scores">scores</span></div>'
        f'<div class="tl-plot" data-from="{from_s:g}" data-span="{span_s:g}" '
        f'style="--grid:{100 * step_s / span_s:.3f}%">{end}{bands}{_curves(strip, labels, from_s, span_s)}'
        f'<div class="tl-axis">{ticks}</div></div></div>\n'
    )


def _tick_step_s(span_s: float) -> float:
    return next((step for step in _TICK_STEPS_S if span_s / step <= _TICKS), _TICK_STEPS_S[-1])


def _band(strip: Strip, mark: Mark, from_s: float, span_s: float) -> str:
    """Draw the part of a mark that lies in a row; nothing if none does."""
    left, right = (mark.start_s - from_s) / span_s, (mark.end_s - from_s) / span_s
    if right < 0 or left >= 1:
        return ""
    left, right = max(0.0, left), min(1.0, right)
    text = escape(mark.text)
    shots = f' data-shots="{escape(mark.shots)}"' if mark.shots else ""
    return (
        # The title is also what a screen reader says.
        f'<button class="tl-mark tl-{mark.kind}" title="{text}" '
        f'data-start="{mark.start_s:.3f}" data-end="{mark.end_s:.3f}"{shots} '
        f'style="left:{100 * left:.2f}%;width:{100 * (right - left):.2f}%;--c:{strip.colors.get(mark.label, GRAY)}">'
        "</button>"
    )


def _curves(strip: Strip, labels: Sequence[int], from_s: float, span_s: float) -> str:
    margin_s = max(_HOLE_S, 2 * span_s / _COLUMNS)
    times_s, scores = strip.curves.between(from_s - margin_s, from_s + span_s + margin_s, step_s=span_s / _COLUMNS)
    x = np.rint((times_s - from_s) / span_s * _COLUMNS).astype(int)
    holes_s = max(_HOLE_S, 3 * strip.curves.step_s, 3 * span_s / _COLUMNS)
    paths = []
    # The first label last, so that it lies on top.
    for index in reversed(labels):
        label = strip.curves.labels[index]
        data = "".join(_path(x, scores[:, index], np.diff(times_s) > holes_s)) if len(x) else ""
        thin = ' class="tl-thin"' if label in strip.background else ""
        if data:
            paths.append(f'<path{thin} d="{data}" stroke="{strip.colors.get(label, GRAY)}"/>')
    return (
        f'<svg class="tl-curves" viewBox="0 0 {_COLUMNS} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(paths)}</svg>"
    )


def _path(x: Array, scores: Array, is_hole: Array) -> Iterator[str]:
    """Yield the steps of a path, without the points in the middle of a level stretch."""
    y = np.rint((1 - scores) * _LEVELS).astype(int) * (_HEIGHT // _LEVELS)
    moves = np.concatenate([[True], is_hole])
    leaves = np.concatenate([is_hole, [True]])
    changes = np.concatenate([[True], y[1:] != y[:-1]])
    bends = moves | leaves | changes | np.concatenate([changes[1:], [True]])
    # A score that is 0 all the time needs no line.
    if (y == _HEIGHT).all():
        return
    for place in np.flatnonzero(bends):
        yield f"{'M' if moves[place] else 'L'}{x[place]} {y[place]}"
