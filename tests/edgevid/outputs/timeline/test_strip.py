"""A recording as a strip of HTML."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgevid.outputs.timeline import strip as module
from edgevid.outputs.timeline.colors import label_colors
from edgevid.outputs.timeline.sketch import ScoreSketch
from edgevid.outputs.timeline.strip import Mark, Strip, legend_html, row_span_s, rows_of, shown_colors, strip_html

LABELS = ("none", "wave", "swipe")


def mark(start_s: float, end_s: float, *, label: str = "wave", kind: module.Kind = "event") -> Mark:
    return Mark(label=label, start_s=start_s, end_s=end_s, kind=kind, text=f"{kind}: {label}")


def strip(*marks: Mark, end_s: float = 90.0, **changes: object) -> Strip:
    sketch = ScoreSketch(LABELS)
    for tenth in range(round(end_s * 10)):
        sketch.add(tenth / 10, [0.0, 1.0 if 50 <= tenth < 60 else 0.5, 0.0])
    given = {
        "name": "a.mp4",
        "end_s": end_s,
        "lanes": {"events": marks},
        "curves": sketch,
        "colors": label_colors(LABELS, ("none",)),
        "background": ("none",),
    }
    return Strip(**{**given, **changes})


@pytest.mark.parametrize(
    ("length_s", "span_s", "rows"),
    [
        (3, 10, 1),
        (45, 50, 1),
        (90, 60, 2),
        (600, 60, 10),
        (601, 300, 3),
        (3600, 300, 12),
        (36_000, 600, 60),
        (86_400, 1800, 48),
    ],
)
def test_rows_are_short_for_short_recordings_and_few_for_long_ones(length_s: float, span_s: float, rows: int) -> None:
    assert row_span_s(length_s) == span_s
    assert len(rows_of(replace(strip(), end_s=length_s))) == rows


def test_rows_begin_where_the_recording_does() -> None:
    assert rows_of(strip(start_s=7_265.0, end_s=7_330.0)) == [(7260.0, 60.0), (7320.0, 60.0)]


def test_an_event_over_the_end_of_a_row_is_drawn_in_both() -> None:
    page = strip_html(strip(mark(54, 66)))
    assert re.findall(r'class="tl-mark[^>]*style="left:([\d.]+)%;width:([\d.]+)%', page) == [
        ("90.00", "10.00"),
        ("0.00", "10.00"),
    ]


def test_an_event_is_not_drawn_in_rows_that_it_does_not_reach() -> None:
    assert strip_html(strip(mark(1, 2), mark(70, 75), end_s=170)).count("tl-mark") == 2


def test_each_kind_of_mark_has_a_form_and_words_of_its_own() -> None:
    kinds: tuple[module.Kind, ...] = ("event", "hit", "false", "found", "missed")
    page = strip_html(strip(*(mark(2 * index, 2 * index + 1, kind=kind) for index, kind in enumerate(kinds))))
    for kind in kinds:
        assert page.count(f'class="tl-mark tl-{kind}" title="{kind}: wave"') == 1
        assert f"tl-key tl-{kind}" in legend_html({}, kinds)


def test_a_curve_shows_its_peak_where_it_was_and_no_point_in_the_middle_of_a_level() -> None:
    page = strip_html(strip(end_s=50))
    (path,) = re.findall(r'<path d="([^"]*)" stroke="#4e79a7"', page)
    points = [tuple(map(int, point)) for point in re.findall(r"[ML](-?\d+) (\d+)", path)]
    assert min(y for _, y in points) == 0
    peak = [x for x, y in points if y == 0]
    # From second 5 to second 6 of 50, in 480 columns.
    assert (min(peak), max(peak)) == (pytest.approx(48, abs=2), pytest.approx(57.6, abs=2))
    assert len(points) <= 8


def test_a_curve_has_a_hole_where_there_was_no_decision() -> None:
    sketch = ScoreSketch(LABELS)
    for second in (*range(10), *range(30, 40)):
        for tenth in range(10):
            sketch.add(second + tenth / 10, [0.0, 0.5, 0.0])
    page = strip_html(strip(end_s=40, curves=sketch))
    (path,) = re.findall(r'<path d="([^"]*)" stroke="#4e79a7"', page)
    assert path.count("M") == 2


def test_labels_and_names_are_text_and_no_markup() -> None:
    labels = ("none", '<b>"wave"&', "swipe")
    sketch = ScoreSketch(labels)
    sketch.add(1, [0, 1, 0])
    own = strip(
        mark(1, 2, label=labels[1]),
        name="<i>.mp4",
        curves=sketch,
        colors=label_colors(labels),
        video="a%20%23%26.mp4",
    )
    page = strip_html(own) + legend_html(shown_colors(own))
    assert "<b>" not in page
    assert "<i>." not in page
    assert "&lt;b&gt;&quot;wave&quot;&amp;" in page
    assert 'href="a%20%23%26.mp4"' in page


def test_what_is_left_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MARKS", 3)
    monkeypatch.setattr(module, "MOST_CURVES", 2)
    page = strip_html(strip(*(mark(index, index + 0.5) for index in range(5))))
    assert page.count("tl-mark") == 3
    assert "The last 2 of 5 events are not drawn." in page
    assert "1 classes with lower scores have no curve here." in page


def test_the_curves_of_marked_labels_come_before_higher_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CURVES", 1)
    assert module.curve_labels(strip()) == [1]
    assert module.curve_labels(strip(mark(1, 2, label="swipe"))) == [2]


def test_an_hour_with_an_event_every_five_seconds_stays_a_small_page() -> None:
    sketch = ScoreSketch(LABELS)
    for tenth in range(36_000):
        sketch.add(tenth / 10, [0.3, (tenth * 7 % 100) / 100, (tenth * 13 % 100) / 100])
    page = strip_html(strip(*(mark(t, t + 1) for t in range(0, 3600, 5)), end_s=3600.0, curves=sketch))
    assert page.count("tl-plot") == 12
    assert len(page) < 800_000


def test_labels_have_different_colors_and_the_background_is_gray() -> None:
    colors = label_colors([f"class{index}" for index in range(7)] + ["none"], ("none",))
    assert len(set(colors.values())) == 8
    assert colors["none"] == "#aab2bd"
