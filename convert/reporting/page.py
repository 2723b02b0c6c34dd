"""The conversion's report as one HTML page that needs nothing but itself: numbers first, then pictures, then every detail.

Any conversion's `report.json` will do. Pictures and tables of the caller's own, such as a timeline, come in as sections.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convert.precision.recipes import TITLES
from convert.quantization.layer_errors import EXACT_DB
from edgevid.atomic import replacing

if TYPE_CHECKING:
    from convert.reporting.clip_strips import ClipStrip

TEMPLATE = "report.html"
CLASSES_SHOWN, PAIRS_SHOWN, LAYERS_SHOWN, STRIPS_SHOWN = 24, 8, 40, 5
_SIDES = (("trained model", "float"), ("bundle", "bundle"))


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page that the conversion's report does not know of.

    Attributes:
        title: Its heading.
        text: What one is to see; plain text.
        picture: A PNG, or None.
        table: Rows of cells, the first one the heading; empty for none.
        link: A file beside the page and what to call it, or None.
    """

    title: str
    text: str = ""
    picture: bytes | None = None
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
    """Write the page, whole or not at all.

    Args:
        report: What the bundle's `report.json` holds, or what it would have held.
        path: The `.html` file to write.
        title: The page's heading.
        bundle_bytes: Size of the bundle.
        sections: Put between the key numbers and the details, in order.
        strips: The worst clips.

    Raises:
        UsageError: The folder is not there.
    """
    page = (
        _environment()
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
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("convert.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "kilobytes": kilobytes,
        "data_url": _data_url,
        "number": _number,
        "grade": grade,
    }
    return environment


def _cards(report: Mapping[str, Any], bundle_bytes: int | None) -> list[tuple[str, str, str]]:
    """The numbers that a person looks for first: heading, value, what it means."""
    if report["agreement"] is None:
        return []
    cards = [("Agreement", percent(report["agreement"]), f"of {report['clips']} clips get the trained model's answer")]
    if report["accuracy_float"] is not None:
        drop = 100 * (report["accuracy_float"] - report["accuracy_bundle"])
        cards.append(
            (
                "Accuracy",
                percent(report["accuracy_bundle"]),
                f"trained model {percent(report['accuracy_float'])}; {_cost(drop)}",
            )
        )
    latency = report["latency"]
    parts = f"encoder {latency['encode_ms']:.3f} + head {latency['head_ms']:.3f}, interpreter only"
    cards.append(("A new frame", f"{latency['encode_ms'] + latency['head_ms']:.3f} ms", parts))
    models = kilobytes(sum(report["part_bytes"].values()))
    cards.append(
        ("Bundle", kilobytes(bundle_bytes), f"models {models}")
        if bundle_bytes is not None
        else ("Models", models, "no bundle was written")
    )
    cards.append(("Largest error", f"{report['max_abs_error']:.3f}", "of any probability on any clip"))
    return cards


def _cost(drop: float) -> str:
    return f"{drop:.1f} points lost" if drop > 0 else "nothing lost"


def _matrices(report: Mapping[str, Any]) -> list[tuple[str, list[list[tuple[int, float]]]]]:
    """Confusion matrices as counts with their share of the row; none where there are too many classes to read."""
    confusion = report["confusion"]
    if confusion is None or len(report["labels"]) > CLASSES_SHOWN:
        return []
    return [
        (name, [[(count, count / max(sum(row), 1)) for count in row] for row in confusion[key]]) for name, key in _SIDES
    ]


def _confused(report: Mapping[str, Any]) -> list[tuple[str, str, int, int]]:
    """The pairs of classes that are taken for each other most often: truth, answer, by the trained model, by the bundle."""
    confusion, labels = report["confusion"], report["labels"]
    if confusion is None:
        return []
    pairs = [
        (labels[truth], labels[answer], confusion["float"][truth][answer], confusion["bundle"][truth][answer])
        for truth in range(len(labels))
        for answer in range(len(labels))
        if truth != answer
    ]
    return sorted((pair for pair in pairs if pair[2] or pair[3]), key=lambda pair: (-pair[3], -pair[2]))[:PAIRS_SHOWN]


def grade(snr_db: float) -> str:
    """Sort a layer's signal-to-noise ratio for the eye.

    Args:
        snr_db: Decibels.

    Returns:
        "bad" below 15 dB, where the error is a fifth of the signal, "fair" below 25 dB, else "good".
    """
    return "bad" if snr_db < 15 else "fair" if snr_db < 25 else "good"


def percent(share: float | None) -> str:
    """Print a share.

    Args:
        share: 0 to 1, or None where it is unknown.

    Returns:
        As "98.3 %".
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def kilobytes(count: int) -> str:
    """Print a size.

    Args:
        count: Bytes.

    Returns:
        As "123 kB", of 1000 bytes each.
    """
    return f"{count / 1000:,.0f} kB"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
