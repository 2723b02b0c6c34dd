"""Pictures for reports."""

from __future__ import annotations

import cv2
import numpy as np

from convert.demo.figures import TimelineStrip, strips_png


def pixels(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def area(png: bytes, color: str) -> int:
    rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)])
    return int((np.abs(pixels(png).astype(int) - rgb).max(axis=2) < 12).sum())


def test_strips_show_their_frames_one_clip_a_row() -> None:
    red = np.zeros((4, 12, 16, 3), np.uint8)
    red[..., 0] = 255
    one, two = (
        strips_png([TimelineStrip(red, "a", True)]),
        strips_png([TimelineStrip(red, "a", True), TimelineStrip(red, "b", False)]),
    )
    assert area(two, "#ff0000") > 1.5 * area(one, "#ff0000") > 10_000
