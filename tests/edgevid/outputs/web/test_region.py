"""The region on the live page: over real sockets, and dragged in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevid
from edgevid.frames import Frame
from edgevid.frames.cropping import Cropper
from edgevid.frames.region import Region
from edgevid.keypoints.person import PersonFollower
from edgevid.outputs.web.region_control import RegionControl
from edgevid.outputs.web.region_file import RegionFile
from tests.browser import Browser, Page, chromium, needs_chromium
from tests.edgevid.outputs.sinks import until
from tests.edgevid.outputs.web.show import Show
from tests.edgevid.outputs.web.test_page import look, status, texts

MASK = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "region.toml"


def cropper_for(region: Region, size: tuple[int, int] = (160, 120)) -> Cropper:
    """A cropper that has seen a frame."""
    cropper = Cropper(region, may_move=True)
    cropper.crop(Frame(np.zeros((size[1], size[0], 3), np.uint8), "bgr", 0, 0), region)
    return cropper


@pytest.fixture
def show(path: Path) -> Iterator[Show]:
    made = Show(region=RegionControl(cropper_for(Region(masks=[MASK])), RegionFile(path)))
    yield made
    made.close()


def test_a_viewer_sees_the_region_in_shares_whatever_it_was_written_in(path: Path) -> None:
    region = Region(box=(40, 30, 80, 60), masks=[(0, 0, 160, 0, 160, 120), MASK])
    control = RegionControl(cropper_for(region), RegionFile(path))
    wanted: dict[str, Any] = {
        "box": [0.25, 0.25, 0.5, 0.5],
        "masks": [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0], list(MASK)],
        "file": "region.toml",
        "size": (160, 120),
        "person": None,
    }
    assert control.shown() == wanted
    before = RegionControl(Cropper(region)).shown()
    assert before == {"box": None, "masks": [list(MASK)], "file": None, "size": None, "person": None}


def test_a_saved_region_is_in_the_file_and_reaches_every_viewer(show: Show, path: Path) -> None:
    with look(show) as line, look(show) as other:
        assert texts(line, "hello")["region"]["box"] is None
        line.send(json.dumps({"region": [0.25, 0.1, 0.5, 0.8]}))
        assert texts(line, "saved") == {"kind": "saved", "problem": ""}
        until(lambda: texts(other, "region")["box"] == [0.25, 0.1, 0.5, 0.8])
        assert RegionFile(path).read() == Region(box=(0.25, 0.1, 0.5, 0.8), masks=[MASK])
        line.send(json.dumps({"region": None}))
        assert texts(line, "saved")["problem"] == ""
        assert RegionFile(path).read() == Region(masks=[MASK])


PROBLEMS = {
    '{"region": [0.5, 0.5, 0.75, 0.5]}': "Expected a region inside of the picture",
    '{"region": [0.5, 0.5, 0.01, 0.5]}': "Expected a region of at least 8 px a side",
    '{"region": [0, 0, 1]}': "Expected a region x,y,width,height",
    '{"region": ["a", 0, 1, 1]}': "Expected a region of four numbers, got something else.",
    '{"region": [NaN, 0, 1, 1]}': "Expected a region x,y,width,height",
    '{"rule": 1}': "Expected a region of four numbers, got something else.",
    "[]": "Expected a region of four numbers, got something else.",
    "no JSON": "Expected a region of four numbers, got something else.",
    "[" * 60: "Expected a region of four numbers, got something else.",
}


def test_what_is_no_region_is_answered_with_the_reason_and_changes_nothing(show: Show, path: Path) -> None:
    with look(show) as line:
        for message, problem in PROBLEMS.items():
            line.send(message)
            assert problem in texts(line, "saved")["problem"], message
        line.send(b"\xff\xfe")
        assert "something else" in texts(line, "saved")["problem"]
        assert texts(line, "vitals")
    assert not path.exists()


def test_without_a_file_viewers_only_look() -> None:
    cropper = cropper_for(Region())
    show = Show(region=RegionControl(cropper))
    with look(show) as line:
        assert texts(line, "hello")["region"]["file"] is None
        line.send('{"region": [0.25, 0.1, 0.5, 0.8]}')
        assert "Start it with --region-file." in texts(line, "saved")["problem"]
    assert cropper.region == Region()
    show.close()


def test_before_the_first_picture_nothing_is_saved(path: Path) -> None:
    cropper = Cropper(may_move=True)
    control = RegionControl(cropper, RegionFile(path))
    assert control.change('{"region": null}') == "Expected a picture before a region is saved, got none so far."
    assert not path.exists()


def test_a_source_without_pictures_has_no_region() -> None:
    show = Show()
    with look(show) as line:
        assert texts(line, "hello")["region"] is None
        line.send('{"region": null}')
        assert texts(line, "saved")["problem"] == "This source has no pictures."
    show.close()


def test_a_file_that_cannot_be_written_leaves_the_region_as_it_was(path: Path) -> None:
    cropper = cropper_for(Region())
    control = RegionControl(cropper, RegionFile(path))
    # A folder in the way of the temporary file: root may write anywhere.
    path.with_name(f".{path.name}.new").mkdir()
    problem = control.change('{"region": [0.25, 0.1, 0.5, 0.8]}')
    assert problem.startswith("Expected to write the region, got ")
    assert cropper.region == Region()
    assert not path.exists()


def test_masks_that_a_rectangle_leaves_nothing_of_are_a_problem(path: Path) -> None:
    cropper = cropper_for(Region(masks=[(0, 0, 80, 0, 80, 120, 0, 120)]))
    control = RegionControl(cropper, RegionFile(path))
    assert "masks that leave at least 64 pixels" in control.change('{"region": [0.6, 0.1, 0.3, 0.8]}')
    assert control.change('{"region": [0.4, 0.1, 0.5, 0.8]}') == ""


def screen(page: Page) -> tuple[float, float, float, float]:
    """Where the picture is in the window: its element may be wider."""
    box = page.run(
        "(() => {const b = document.querySelector('#video').getBoundingClientRect();"
        " return [b.left, b.top, b.width, b.height]})()"
    )
    scale = min(box[2] / 160, box[3] / 120)
    width, height = 160 * scale, 120 * scale
    return box[0] + (box[2] - width) / 2, box[1] + (box[3] - height) / 2, width, height


def drag(page: Page, start: tuple[float, float], *path: tuple[float, float], with_finger: bool = False) -> None:
    left, top, width, height = screen(page)
    first, *others = [(left + x * width, top + y * height) for x, y in (start, *path)]
    (page.swipe if with_finger else page.drag)(first, *others)


@needs_chromium
@pytest.mark.parametrize(
    ("width_px", "height_px", "phone"), [(1280, 900, False), (390, 844, True)], ids=["desktop", "phone"]
)
def test_in_a_browser_a_rectangle_is_dragged_seen_and_saved(
    show: Show, browser: Browser, path: Path, width_px: int, height_px: int, phone: bool
) -> None:
    show.play()
    with browser.page(f"http://{show.address}/", width_px=width_px, height_px=height_px, phone=phone) as page:
        page.until("document.querySelector('#video').dataset.shown > 1")
        page.run("document.querySelector('#regionbutton').click()")
        assert page.run("document.querySelector('#numbers').value") == "0.0,0,1,1"
        drag(page, (0.75, 0.9), (0.5, 0.5), (0.25, 0.1), with_finger=phone)
        assert page.run("window.scrollY") == 0, "the page stays where it is"
        x, y, width, height = map(float, page.run("document.querySelector('#numbers').value").split(","))
        assert (x, y, width, height) == pytest.approx((0.25, 0.1, 0.5, 0.8), abs=0.01)
        assert page.run("document.querySelector('#pixels').textContent") == "80 × 96 px"
        # A click that slips is no rectangle.
        drag(page, (0.4, 0.4), (0.42, 0.43))
        assert page.run("document.querySelector('#numbers').value").startswith(str(x))
        assert not path.exists()
        page.run("document.querySelector('#save').click()")
        page.until("document.querySelector('#regionhint').textContent.includes('Saved in region.toml.')")
        assert RegionFile(path).read() == Region(box=(x, y, width, height), masks=[MASK])
        page.run("document.querySelector('#cancel').click()")
        drawn = page.run(
            "['x', 'y', 'width', 'height'].map(n => document.querySelector('#sightline rect').getAttribute(n))"
        )
        assert [float(each) for each in drawn] == pytest.approx([x * 160, y * 120, width * 160, height * 120])
        assert page.run("document.documentElement.scrollWidth") <= width_px
        assert page.complaints == []


@needs_chromium
def test_in_a_browser_numbers_are_typed_and_what_is_no_region_cannot_be_saved(
    show: Show, browser: Browser, path: Path
) -> None:
    show.play()

    def type_in(text: str) -> None:
        page.run(
            f"(() => {{const n = document.querySelector('#numbers'); n.value = '{text}';"
            " n.dispatchEvent(new Event('input'))})()"
        )

    with browser.page(f"http://{show.address}/") as page:
        page.until("document.querySelector('#video').dataset.shown > 1")
        page.run("document.querySelector('#regionbutton').click()")
        for text in ("0.5,0.5,0.75,0.5", "0.1,0.1,0,0.5", "0.1,0.1,0.5", "a,b,c,d", "-0.1,0,1,1", "160,48,320,384"):
            type_in(text)
            assert page.run("document.querySelector('#save').disabled"), text
        type_in("0.5,0.25,0.5,0.5")
        page.run("document.querySelector('#regionform').requestSubmit()")
        page.until("document.querySelector('#regionhint').textContent.startsWith('Saved')")
        # Too few pixels of this camera's: the server knows them.
        type_in("0.5,0.25,0.01,0.5")
        page.run("document.querySelector('#regionform').requestSubmit()")
        page.until("document.querySelector('#regionhint.problem')?.textContent.includes('at least 8 px a side')")
        assert RegionFile(path).read().box == (0.5, 0.25, 0.5, 0.5)
        page.run("document.querySelector('#whole').click()")
        page.run("document.querySelector('#regionform').requestSubmit()")
        page.until("document.querySelector('#regionhint:not(.problem)')?.textContent.startsWith('Saved')")
        until(lambda: RegionFile(path).read().box is None)
        page.press("Escape")
        assert page.run("document.querySelector('#regionform').hidden")


@needs_chromium
def test_in_a_browser_a_run_that_keeps_no_region_shows_the_numbers_to_copy(browser: Browser) -> None:
    show = Show(region=RegionControl(Cropper()))
    show.play()
    with browser.page(f"http://{show.address}/") as page:
        page.until("document.querySelector('#video').dataset.shown > 1")
        page.run("document.querySelector('#regionbutton').click()")
        drag(page, (0.0, 0.0), (0.5, 0.5))
        assert page.run("document.querySelector('#numbers').value") == "0,0,0.5,0.5"
        assert page.run("document.querySelector('#save').hidden")
        assert "--region-file FILE.toml" in page.run("document.querySelector('#regionhint').textContent")
    show.close()


@needs_chromium
def test_in_a_browser_the_square_around_a_person_moves_and_the_region_stays(browser: Browser) -> None:
    follower = PersonFollower()
    show = Show(region=RegionControl(cropper_for(Region(box=(0.0, 0.0, 0.75, 1.0))), follower=follower))
    show.play()
    bright = "document.querySelector('#sightline rect')?.getAttribute('x')"
    with browser.page(f"http://{show.address}/") as page:
        page.until(f"{bright} === '0'")
        assert page.run("document.querySelectorAll('#sightlines rect').length") == 0
        for place, left_px in (((0.25, 0.25, 0.5, 0.5), 30), ((0.5, 0.25, 0.5, 0.5), 60)):
            follower.place = place
            page.until(f"{bright} === '{left_px}'")
            assert page.run("document.querySelector('#sight').classList.contains('person')")
            assert page.run("document.querySelector('#sightlines rect').getAttribute('width')") == "120"
        # Whoever chooses a region sees that alone.
        page.run("document.querySelector('#regionbutton').click()")
        page.until(f"{bright} === '0'")
        page.run("document.querySelector('#cancel').click()")
        follower.place = None
        page.until("!document.querySelector('#sight').classList.contains('person')")
        assert page.complaints == []
    show.close()


@needs_chromium
def test_a_region_that_is_saved_on_the_page_of_a_run_holds_at_once_and_at_the_next_start(
    browser: Browser, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = edgevid.load(edgevid.DEMO)
    outputs = [edgevid.Page("localhost:0")]
    session = edgevid.Session(model, source="synthetic:5", policy="live", outputs=outputs, region_file=path)
    with session:
        running = threading.Thread(target=session.run)
        running.start()
        try:
            said: list[str] = []
            until(lambda: said.append(capsys.readouterr().err) or "live page at " in "".join(said))
            with browser.page("".join(said).partition("live page at ")[2].split()[0]) as page:
                page.until("document.querySelector('#video').dataset.shown > 1")
                page.run("document.querySelector('#regionbutton').click()")
                page.run("document.querySelector('#numbers').value = '0.25,0.25,0.5,0.5'")
                page.run("document.querySelector('#numbers').dispatchEvent(new Event('input'))")
                page.run("document.querySelector('#save').click()")
                page.until("document.querySelector('#regionhint').textContent.startsWith('Saved')")
        finally:
            session.stop()
            running.join(20)
        lane = session.pipeline.lanes[0]
        assert lane.cropper is not None
        assert lane.cropper.region == Region(box=(0.25, 0.25, 0.5, 0.5))
    with edgevid.Session(model, source="synthetic:5", region_file=path) as again:
        cropper = again.pipeline.lanes[0].cropper
        assert cropper is not None
        assert cropper.region == Region(box=(0.25, 0.25, 0.5, 0.5))


def test_the_page_serves_the_region_to_this_machine_only(show: Show) -> None:
    assert status(show, "/region.js", Host="evil.example") == 421
    assert status(show, "/region.js", Origin="https://evil.example") == 403
