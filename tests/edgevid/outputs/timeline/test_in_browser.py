"""The page of a run in a real browser: a click plays the seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgevid.events.decide import Event
from edgevid.outputs.timeline.page import SeenRun, TimelineModel, page_html
from edgevid.outputs.timeline.sketch import ScoreSketch
from tests.browser import Browser, Page, chromium, needs_chromium
from tests.clips.webm import write_webm

pytestmark = needs_chromium
LABELS = ("none", "<i>wave</i>", "swipe")
VIDEO = "const video = document.querySelector('video')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_webm(tmp_path_factory.mktemp("page") / "my clips" / "hall #1 & 50%.webm", seconds=30)


def write_page(path: Path, source: Path) -> str:
    events = [
        Event("<i>wave</i>", 4.0, 5.0, 0.9, model="tiny", announced_s=4.5),
        Event("swipe", 20.0, 21.5, 0.8, model="tiny", announced_s=20.5),
    ]
    sketch = ScoreSketch(LABELS)
    for tenth in range(300):
        sketch.add(tenth / 10, [0.2, 0.5, 0.3])
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    run = SeenRun(
        source=str(source),
        first_s=0.0,
        last_s=29.9,
        models=[TimelineModel(name="tiny", labels=LABELS, background=("none",))],
        sketches={"tiny": sketch},
        events=events,
        pictures={0: [jpeg] * 3},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page_html(run, path), encoding="utf-8")
    return path.as_uri()


def click(page: Page, selector: str, *, share: float = 0.5) -> None:
    box = page.run(
        f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}});"
        "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
    )
    page.drag((box[0] + share * box[2], box[1] + box[3] / 2))


def test_a_click_on_an_event_plays_its_seconds_and_then_stops(browser: Browser, video: Path, tmp_path: Path) -> None:
    # In another folder than the video, whose name an address has to encode.
    with browser.page(write_page(tmp_path / "a" / "page.html", video)) as page:
        click(page, ".tl-mark")
        page.until(f"(() => {{ {VIDEO}; return !video.paused && video.currentTime >= 3; }})()")
        assert page.run("document.querySelector('.tl-what').textContent") == "<i>wave</i> 0:04.0 to 0:05.0, score 0.90"
        page.until(f"(() => {{ {VIDEO}; return video.paused && video.currentTime >= 6 && video.currentTime < 7; }})()")
        assert page.run("document.querySelectorAll('.tl-head').length") == 1
        assert page.complaints == []


def test_a_click_on_a_card_or_on_a_place_in_time_plays_from_there(
    browser: Browser, video: Path, tmp_path: Path
) -> None:
    with browser.page(write_page(tmp_path / "page.html", video)) as page:
        click(page, ".tl-card:last-child")
        page.until(f"(() => {{ {VIDEO}; return video.currentTime >= 19 && video.currentTime < 21; }})()")
        # A row of half a minute.
        click(page, ".tl-axis", share=0.4)
        said = page.run("document.querySelector('.tl-what').textContent")
        assert said in ("hall #1 & 50%.webm, 0:11", "hall #1 & 50%.webm, 0:12")
        page.until(
            f"(() => {{ {VIDEO}; return !video.paused && video.currentTime >= 12 && video.currentTime < 15; }})()"
        )
        page.run("document.querySelector('.tl-close').click()")
        assert page.run(f"(() => {{ {VIDEO}; return video.paused; }})()")
        assert page.run("document.querySelector('.tl-player').hidden")
        assert page.complaints == []


def test_a_video_that_the_browser_cannot_play_is_said_in_place_with_frames(browser: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"RIFF" * 100)
    with browser.page(write_page(tmp_path / "page.html", broken)) as page:
        click(page, ".tl-mark")
        page.until("document.querySelector('.tl-note').textContent")
        assert page.run("document.querySelector('.tl-note').textContent") == (
            "This browser cannot play broken.avi. These are frames of it."
        )
        assert (
            page.run("[...document.querySelectorAll('.tl-pictures img')].map(i => i.naturalWidth).join()") == "64,64,64"
        )
        assert page.run(f"(() => {{ {VIDEO}; return video.hidden; }})()")


def test_without_a_file_the_page_says_that_there_is_no_video(browser: Browser, tmp_path: Path) -> None:
    with browser.page(write_page(tmp_path / "page.html", Path("synthetic:3"))) as page:
        click(page, ".tl-card:last-child")
        assert (
            page.until("document.querySelector('.tl-note').textContent") == "There is no video of synthetic:3 to play."
        )
        assert page.complaints == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_phone_and_loads_nothing_from_elsewhere(
    browser: Browser, video: Path, tmp_path: Path, dark: bool
) -> None:
    address = write_page(tmp_path / "page.html", video)
    with browser.page(address, width_px=390, height_px=800, phone=True, dark=dark) as page:
        assert page.run("document.documentElement.scrollWidth") == 390
        assert page.complaints == []
        assert [each for each in page.asked if not each.startswith("data:")] == [address]
        light = page.run("getComputedStyle(document.body).backgroundColor")
        assert (light == "rgb(244, 246, 249)") is not dark
