"""The report of a conversion as one self-contained HTML page: key numbers, then pictures, then details.

The page is made from the data of any `report.json`. A caller can add sections of its own, such as a timeline.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.precision.recipes import TITLES
from convert.quantization.layer_errors import EXACT_DB
from convert.reporting.rendering import environment, kilobytes, percent
from edgevid.atomic import replacing

if TYPE_CHECKING:
    from convert.reporting.clip_strips import ClipStrip

TEMPLATE = "report.html"
CLASSES_SHOWN, PAIRS_SHOWN, LAYERS_SHOWN, STRIPS_SHOWN = 24, 8, 40, 5
_SIDES = (("trained model", "float"), ("bundle", "bundle"))


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section that the caller adds to the page.

    Attributes:
        title: The heading.
        text: Plain text below the heading.
        picture: A PNG.
        html: Trusted HTML, shown as it is.
        table: Rows of cells; the first row is the heading.
        link: A file next to the page, and the text of the link.
    """

    title: str
    text: str = ""
    picture: bytes | None = None
    html: str = ""
    table: Sequence[Sequence[object]] = ()
    link: tuple[str, str] | None = None


def write_html(
    report: Mapping[str, Any],
    path: str | Path,
    *,
    title: str,
    bundle_bytes: int | None = None,
    sections: Sequence[Section] = (),
    strips: Sequence[ClipStrip] = (),
) -> None:
    """Write the page atomically.

    Args:
        report: The data of `report.json`, with or without a bundle.
        path: The `.html` file to write.
        title: The page's heading.
        bundle_bytes: Size of the bundle; None if no bundle was written.
        sections: Placed between the key numbers and the details, in order.
        strips: The clips on which the bundle differs most.

    Raises:
        UsageError: The folder does not exist.
    """
    page = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=title,
            report=report,
            cards=_cards(report, bundle_bytes),
            sections=sections,
            strips=strips,
            strips_shown=STRIPS_SHOWN,
            recipes=TITLES,
            matrices=_matrices(report),
            confused=_confused(report),
            layers=report["layers"][:LAYERS_SHOWN],
            exact_db=EXACT_DB,
        )
    )
    with replacing(path) as written:
        written.write_text(page, encoding="utf-8")


def _cards(report: Mapping[str, Any], bundle_bytes: int | None) -> list[tuple[str, str, str]]:
    """Return the key numbers: heading, value and explanation."""
    if report["agreement"] is None:
        return []
    cards = [("Agreement", percent(report["agreement"]), f"of {report['clips']} clips get the trained model's class")]
    if report["accuracy_float"] is not None:
        drop = 100 * (report["accuracy_float"] - report["accuracy_bundle"])
        trained = percent(report["accuracy_float"])
        cards.append(("Accuracy", percent(report["accuracy_bundle"]), f"trained model {trained}; {_cost(drop)}"))
    drift = report.get("events")
    if drift is not None:
        lost = f"{drift['lost']} lost, {drift['false_bundle'] - drift['false_float']:+d} false alarms"
        cards.append(("Events", f"{drift['found_bundle']} of {drift['events']}", f"{lost} in {drift['hours']:.3g} h"))
    encode_ms, head_ms = report["latency"]["encode_ms"], report["latency"]["head_ms"]
    models = kilobytes(sum(report["part_bytes"].values()))
    cards += [
        (
            "A new frame",
            f"{encode_ms + head_ms:.3f} ms",
            f"encoder {encode_ms:.3f} + head {head_ms:.3f}, interpreter only",
        ),
        ("Models", models, "no bundle was written")
        if bundle_bytes is None
        else ("Bundle", kilobytes(bundle_bytes), f"models {models}"),
        ("Largest error", f"{report['max_abs_error']:.3f}", "of any probability on any clip"),
    ]
    return cards


def _cost(drop: float) -> str:
    return f"{drop:.1f} points lost" if drop > 0 else "nothing lost"


def _matrices(report: Mapping[str, Any]) -> list[tuple[str, list[list[tuple[int, float]]]]]:
    """Return the confusion matrices as counts with their share of the row; none if too many classes to read."""
    confusion = report["confusion"]
    if confusion is None or len(report["labels"]) > CLASSES_SHOWN:
        return []
    return [(name, shares(confusion[key])) for name, key in _SIDES]


def shares(confusion: Sequence[Sequence[int]]) -> list[list[tuple[int, float]]]:
    """Return the counts of a confusion matrix with their share of the row."""
    return [[(count, count / max(sum(row), 1)) for count in row] for row in confusion]


def _confused(report: Mapping[str, Any]) -> list[tuple[str, str, int, int]]:
    """Return the most frequent confusions: truth, answer, count of the trained model, count of the bundle."""
    confusion, labels = report["confusion"], report["labels"]
    if confusion is None:
        return []
    pairs = [
        (labels[truth], labels[answer], confusion["float"][truth][answer], confusion["bundle"][truth][answer])
        for truth, answer in itertools.permutations(range(len(labels)), 2)
    ]
    return sorted((pair for pair in pairs if pair[2] or pair[3]), key=lambda pair: (-pair[3], -pair[2]))[:PAIRS_SHOWN]
