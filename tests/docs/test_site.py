"""The built site, where `make docs` has been run: it loads nothing from elsewhere, and its search works from a disk."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

SITE = ROOT / "build" / "docs"
pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="make docs has not been run")


def test_no_page_loads_anything_from_elsewhere() -> None:
    loads = re.compile(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]+)"|<link[^>]*\bhref="([^"]+)"')
    found = {first or second for page in SITE.rglob("*.html") for first, second in loads.findall(page.read_text())}
    assert found
    assert [link for link in found if re.match(r"(?:https?:)?//", link)] == []


def test_every_public_name_is_in_the_reference() -> None:
    import convert
    import edgevid

    page = (SITE / "reference" / "api.html").read_text()
    for package in (edgevid, convert):
        names = [name for name in package.__all__ if name not in ("__version__", "errors")]
        assert [name for name in names if f'id="{package.__name__}.{name}"' not in page] == []


def test_the_search_index_is_a_script_that_a_browser_loads_from_a_disk() -> None:
    index = (SITE / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    assert "how-to/lstm-crashes-converter" in index
