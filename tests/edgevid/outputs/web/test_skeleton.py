"""The key points on the live page: over real sockets, and drawn in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from edgevid.frames.cropping import Cropper
from edgevid.frames.keypoint_rows import KeypointRows
from edgevid.frames.region import Region
from edgevid.keypoints.body import Body
from edgevid.keypoints.stage import KeypointStage, Seen
from edgevid.outputs.web.region_control import RegionControl
from tests.browser import Browser, Page, chromium, needs_chromium
from tests.edgevid.outputs.web.show import Show
from tests.edgevid.outputs.web.test_page import look, texts
from tests.keypoint_files import grace_hopper

# A hand spread over a region of 80x60 pixels.
HAND = np.column_stack([np.linspace(4, 76, 21), np.linspace(56, 4, 21), np.zeros(21)])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def show() -> Iterator[Show]:
    made = Show(models=2)
    yield made
    made.close()


def lines(page: Page, kind: str = "") -> list[list[float]]:
    """Both ends of each line on the page, in pixels of the picture; those of a class."""
    found: list[list[float]] = page.run(
        f"[...document.querySelectorAll('#skeleton line{kind}')].map((line) =>"
        " ['x1', 'y1', 'x2', 'y2'].map((name) => Number(line.getAttribute(name))))"
    )
    return found


def test_points_are_shares_of_what_was_looked_at() -> None:
    pose = np.tile([[40.0, 15.0, -3.0]], (33, 1))
    shares = Seen(Body(pose=pose, visibility=np.full(33, 0.25), right=HAND), width_px=80, height_px=60).shares()
    assert shares["pose"] == [[0.5, 0.25, 0.25]] * 33
    assert shares["left"] is None
    assert shares["right"] is not None
    assert shares["right"][0] == [0.05, pytest.approx(56 / 60, abs=1e-4)]


def test_a_viewer_gets_the_points_of_each_picture_once_and_those_of_nobody_too(show: Show) -> None:
    with look(show) as line:
        texts(line, "hello")
        show.seen = Seen(Body(left=HAND), width_px=80, height_px=60)
        first = texts(line, "points")
        assert (first["model"], first["points"]["pose"]) == (0, None)
        assert len(first["points"]["left"]) == 21
        with look(show) as other:
            assert texts(other, "hello")["points"] == [first["points"], None]
        show.seen = Seen(Body(), width_px=80, height_px=60)
        assert texts(line, "points")["points"] == {"pose": None, "left": None, "right": None}


@needs_chromium
def test_in_a_browser_a_hand_is_drawn_where_the_region_is_and_goes_with_it(browser: Browser) -> None:
    cropper = Cropper(Region(box=(0.5, 0.25, 0.5, 0.5)))
    show = Show(models=2, region=RegionControl(cropper))
    show.play()
    with browser.page(f"http://{show.address}/") as page:
        page.until("document.querySelector('#video').dataset.shown > 1")
        assert page.run("document.querySelector('#skeleton').hasAttribute('hidden')")
        show.seen = Seen(Body(left=HAND), width_px=80, height_px=60)
        page.until("document.querySelectorAll('#skeleton line').length === 42")
        # 21 bones and 21 points; the wrist is at (4, 56) of the region, which begins at (80, 30).
        assert len(lines(page, ".left")) == 42
        assert lines(page, ".dot")[0] == pytest.approx([84, 86, 84, 86], abs=0.02)
        assert lines(page)[0] == pytest.approx([84, 86, 80 + HAND[1, 0], 30 + HAND[1, 1]], abs=0.02)
        # The other model has no key points.
        page.run("document.querySelectorAll('#models button')[1].click()")
        assert lines(page) == []
        page.run("document.querySelectorAll('#models button')[0].click()")
        assert len(lines(page)) == 42
        show.seen = Seen(Body(), width_px=80, height_px=60)
        page.until("document.querySelector('#skeleton').hasAttribute('hidden')")
        assert page.complaints == []
    show.close()


@needs_chromium
@pytest.mark.usefixtures("keypoint_files")
@pytest.mark.parametrize(("width_px", "phone"), [(1280, False), (390, True)], ids=["desktop", "phone"])
def test_in_a_browser_the_skeleton_of_a_person_lies_on_the_picture(
    show: Show, browser: Browser, width_px: int, phone: bool, seen_person: Any
) -> None:
    show.picture, show.seen, body = seen_person
    show.play()
    with browser.page(f"http://{show.address}/", width_px=width_px, phone=phone) as page:
        page.until("document.querySelectorAll('#skeleton .dot').length > 10")
        page.until("document.querySelector('#video').width === 256")
        nose = lines(page, ".dot")[0]
        assert nose[:2] == pytest.approx(body.pose[0, :2], abs=0.1)
        # Legs are beyond the picture, and not seen.
        assert len(lines(page, ".dot")) == int((body.visibility >= 0.5).sum()) < 33
        # Her left shoulder is on the right side of the picture.
        assert np.mean([line[0] for line in lines(page, ".left")]) > np.mean(
            [line[0] for line in lines(page, ".right")]
        )
        overlay, video = (
            page.run(f"(() => {{const b = document.querySelector('{each}').getBoundingClientRect();"
                     " return [b.left, b.top, b.width, b.height]})()")
            for each in ("#skeleton", "#video")
        )  # fmt: skip
        assert overlay == pytest.approx(video, abs=1)
        assert page.complaints == []


@pytest.fixture
def seen_person() -> tuple[Any, Seen, Body]:
    """A portrait of 256x300, and what the real networks see in it."""
    from edgevid.frames import Frame

    picture = cv2.resize(grace_hopper(), (256, 300), interpolation=cv2.INTER_AREA)
    stage = KeypointStage(KeypointRows(kind="pose"), 132)
    stage.write(Frame(picture, "rgb", 0, 0), np.empty(132, np.float32))
    assert stage.seen is not None
    return picture, stage.seen, stage.seen.body
