"""The representation of a model in a notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import edgevid
from edgevid.api.notebook import as_html
from edgevid.bundle import read

SHIPPED = Path(edgevid.__file__).parent / "data" / "gestures.edgevid"
STRIPS = "<img alt='frame 1 of <a>' src='data:image/jpeg;base64,AAAA'><img src='https://example.org/x.png'>"


def test_a_notebook_shows_facts_proof_confusion_and_layers() -> None:
    html = edgevid.load(SHIPPED)._repr_html_()
    accuracy = f"{100 * read(SHIPPED).report['accuracy_bundle']:.1f} %"
    for text in ("circle_cw", "16 frames, 0.1 s apart", "float Keras", accuracy, "confusion", "signal to noise"):
        assert text in html
    tree = ElementTree.fromstring(html)
    assert len(tree.findall(".//rect")) > 100
    assert "http" not in html


def test_pictures_of_the_page_beside_the_bundle_are_shown_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "action.edgevid"
    (tmp_path / "action.report.html").write_text(STRIPS)
    html = as_html(read(SHIPPED), path=path)
    assert "data:image/jpeg;base64,AAAA" in html
    assert "&lt;a&gt;" in html
    assert "example.org" not in html
    assert "data:image" not in as_html(read(SHIPPED), path=tmp_path / "other.edgevid")


def test_a_report_of_another_form_leaves_the_facts() -> None:
    strange = replace(
        read(SHIPPED),
        report={
            "stages": 3,
            "confusion": {"float": [[1]], "bundle": 4},
            "labels": ["<b>", "x"],
            "layers": [{"snr_db": "?"}],
        },
    )
    html = as_html(strange, path=None)
    assert "circle_cw" in html
    assert "<rect" not in html
