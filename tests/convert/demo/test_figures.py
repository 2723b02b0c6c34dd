"""Pictures for reports."""

from __future__ import annotations

import cv2
import numpy as np

from convert.demo.figures import TimelineStrip, label_colors, strips_png, timeline_png
from edgevid.events.decide import Event
from edgevid.synthetic.gestures import Gesture

LABELS = ("none", "wave", "swipe")


def pixels(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def area(png: bytes, color: str) -> int:
    rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)])
    return int((np.abs(pixels(png).astype(int) - rgb).max(axis=2) < 12).sum())


def timeline(**changes: object) -> bytes:
    times_s = np.arange(0, 40, 0.1)
    given = {"events": [], "truth": [], "background": ("none",)}
    return timeline_png(times_s, np.full((len(times_s), 3), 1 / 3), LABELS, **{**given, **changes})


def test_the_timeline_shows_events_and_truth_as_bands_in_the_labels_color() -> None:
    color = label_colors(LABELS, ("none",))["wave"]
    bare, truth = area(timeline(), color), area(timeline(truth=[Gesture("wave", 5, 9)]), color)
    both = area(timeline(truth=[Gesture("wave", 5, 9)], events=[Event("wave", 5, 9, 0.9)]), color)
    assert truth > bare + 1000
    assert both > truth + 1000


def test_every_half_minute_of_the_timeline_has_a_row() -> None:
    short = timeline_png(np.array([1.0]), np.ones((1, 3)), LABELS, events=[], truth=[])
    assert len(pixels(timeline())) > 1.5 * len(pixels(short))


def test_labels_have_different_colors_and_the_background_is_gray() -> None:
    colors = label_colors([f"class{index}" for index in range(7)] + ["none"], ("none",))
    assert len(set(colors.values())) == 8
    assert colors["none"] == "#aab2bd"


def test_strips_show_their_frames_one_clip_a_row() -> None:
    red = np.zeros((4, 12, 16, 3), np.uint8)
    red[..., 0] = 255
    one, two = (
        strips_png([TimelineStrip(red, "a", True)]),
        strips_png([TimelineStrip(red, "a", True), TimelineStrip(red, "b", False)]),
    )
    assert area(two, "#ff0000") > 1.5 * area(one, "#ff0000") > 10_000
