import re

import pytest

from tests.docs.pages import PAGES, ROOT, prose

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|href)=\"([^\"]+)\"")
# What a code span names and a reader would look for: a path with a folder and an ending.
PATH = re.compile(r"`((?:edgevid|convert|docs|tests|benchmarks|scripts|firmware_configs|\.ci)/[\w./-]+)`")


def anchor(heading):
    """The anchor that GitHub makes of a heading."""
    plain = re.sub(r"[`*_]|\[|\]\([^)]*\)", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def links(text):
    return [first or second for first, second in LINK.findall(prose(text))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_relative_link_leads_to_a_file_and_each_anchor_to_a_heading(page):
    for link in links(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert path.is_relative_to(ROOT), link
        if fragment and path.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
            assert fragment in map(anchor, headings), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_file_that_a_page_names_is_there(page):
    for name in PATH.findall(prose(page.read_text())):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_picture_says_what_it_shows(page):
    assert re.findall(r"!\[\s*\]\(", page.read_text()) == []


def test_links_are_found_in_prose_and_not_in_code():
    assert links('[a](b.md#c) ![d](e.png "f") <img src="g.png">\n```\n[h](i)\n```\n') == ["b.md#c", "e.png", "g.png"]


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [("Plans, and how tensors join", "plans-and-how-tensors-join"), ("The bundle, `*.edgevid`", "the-bundle-edgevid")],
)
def test_anchors_are_those_of_github(heading, wanted):
    assert anchor(heading) == wanted
