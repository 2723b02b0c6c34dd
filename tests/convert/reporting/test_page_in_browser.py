"""The page in a real browser."""

import numpy as np
import pytest

from convert.reporting.clip_strips import ClipStrip, pictures
from convert.reporting.page import Section, write_html
from tests.chromium import needs_chromium, visit
from tests.convert.reporting.test_page import REPORT

pytestmark = needs_chromium
PHONE_PX = 500  # Chromium's narrowest window


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with every section: long labels, many classes, strips of frames and of features."""
    frames = np.random.default_rng(1).integers(0, 256, (20, 48, 64, 3)).astype(np.uint8)
    features = np.random.default_rng(2).normal(0, 1, (30, 40)).astype(np.float32)
    facts = [("truth", "wave"), ("trained model", "wave 0.91"), ("bundle", "none 0.52")]
    strips = [
        ClipStrip(
            name="wave/a very long name of a clip that somebody filmed.mp4",
            pictures=pictures(frames, "bgr"),
            facts=facts,
            right=False,
        ),
        ClipStrip(name="wave/sequence.npy", pictures=pictures(features, "none"), facts=facts, right=True),
    ]
    labels = [f"class number {index}" for index in range(20)]
    matrix = (np.eye(20, dtype=int) * 9 + 1).tolist()
    report = {
        **REPORT,
        "labels": labels,
        "confusion": {"float": matrix, "bundle": matrix},
        "command": f"edgevid convert {'x' * 300}",
        "failure": "int8: no",
    }
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_html(
        report,
        path,
        title="Waves",
        strips=strips,
        sections=[Section(title="T", table=[("a",) * 12, ("some text",) * 12])],
    )
    return path


def test_the_page_opens_without_a_word_on_the_console(page):
    dom, console = visit(page)
    assert console == []
    assert "Loss of each layer" in dom


def test_every_picture_of_the_page_is_one(page, tmp_path):
    script = "document.title = [...document.images].map(image => image.naturalWidth).join()"
    dom, console = visit(scripted(page, tmp_path, script))
    widths = [int(each) for each in title(dom).split(",")]
    assert console == []
    assert len(widths) == 8 + 1
    assert min(widths) > 100


def test_the_page_fits_a_phone(page, tmp_path):
    dom, _ = visit(scripted(page, tmp_path, "document.title = document.documentElement.scrollWidth"), width_px=PHONE_PX)
    assert int(title(dom)) <= PHONE_PX


def test_on_a_phone_each_layer_begins_a_row(page, tmp_path):
    script = (
        "document.title = new Set([...document.querySelectorAll('.layers .name')]"
        ".map(each => each.getBoundingClientRect().left)).size"
    )
    dom, _ = visit(scripted(page, tmp_path, script), width_px=PHONE_PX)
    assert int(title(dom)) == 1


def test_a_page_with_an_error_would_be_noticed(page, tmp_path):
    _, console = visit(scripted(page, tmp_path, "notDefined()"))
    assert len(console) == 1


def scripted(page, folder, script):
    """A copy of the page that runs a script when it has loaded."""
    path = folder / "scripted.html"
    path.write_text(
        page.read_text(encoding="utf-8").replace(
            "</body>", f"<script>addEventListener('load', () => {{ {script} }})</script></body>"
        ),
        encoding="utf-8",
    )
    return path


def title(dom):
    return dom.partition("<title>")[2].partition("</title>")[0]
