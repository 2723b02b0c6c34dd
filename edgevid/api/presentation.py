"""How a model shows itself: one line in a terminal; in a notebook its facts, and the pictures of its conversion's report.

A report is read leniently: a bundle is usable whatever its report holds, so what is missing or of another form is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from edgevid.bundle import Bundle

_MOST_CLASSES, _MOST_LAYERS, _MOST_PICTURES = 24, 12, 40
# A layer whose error is a fifth of its signal (15 dB) is bad, one below 25 dB fair: as on the report's own page.
_GRADES_DB = ((15.0, "#c0392b"), (25.0, "#d9a441"), (float("inf"), "#1a7f4b"))
_FULL_BAR_DB = 50.0
_PAGE_SUFFIX = ".report.html"


def describe(bundle: Bundle) -> str:
    """Describe a bundle in one line.

    Args:
        bundle: A checked bundle.

    Returns:
        Name, classes, window, plan and precisions.
    """
    manifest = bundle.manifest
    window, precisions = manifest.window, " + ".join(f"{part.role} {part.precision}" for part in manifest.parts)
    return f"{manifest.name!r}: {len(manifest.labels)} classes, {window.frames} frames of {window.interval_s:g} s, plan {manifest.plan}, {precisions}"


def as_html(bundle: Bundle, *, path: Path | None) -> str:
    """Describe a bundle for a notebook.

    Args:
        bundle: A checked bundle.
        path: Its file; the strips of clips on the report's page beside it are shown as well.

    Returns:
        HTML that loads nothing.
    """
    sections = [
        _facts(bundle),
        *_stages(bundle.report),
        *_confusion(bundle.report),
        *_layers(bundle.report),
        *_strips(path),
    ]
    return f'<div style="font-size:13px"><h4>{escape(bundle.manifest.name)}</h4>{"".join(sections)}</div>'


def _facts(bundle: Bundle) -> str:
    manifest = bundle.manifest
    spec, window = manifest.input, manifest.window
    frame = f"{spec.width}x{spec.height} {spec.color}" if spec.kind == "frames" else f"{spec.shape[0]} features"
    rows = [
        (
            "classes",
            ", ".join(manifest.labels[:_MOST_CLASSES]) + (" …" if len(manifest.labels) > _MOST_CLASSES else ""),
        ),
        ("window", f"{window.frames} frames, {window.interval_s:g} s apart"),
        ("frame", frame),
        ("plan", manifest.plan),
        ("parts", ", ".join(f"{part.role} {part.precision}" for part in manifest.parts)),
        ("models", f"{sum(map(len, bundle.models.values())) / 1000:,.0f} kB"),
    ]
    return _table([[f"<b>{name}</b>", escape(text)] for name, text in rows])


def _stages(report: Mapping[str, Any]) -> Iterator[str]:
    """Agreement and accuracy of each stage of the proof."""
    stages = [stage for stage in _rows(report.get("stages")) if _is_number(stage.get("agreement"))]
    if stages:
        heading = ["<b>stage</b>", "<b>clips</b>", "<b>agreement</b>", "", "<b>accuracy</b>"]
        cells = [
            [
                escape(str(each.get("name"))),
                escape(str(each.get("clips"))),
                *_share(each["agreement"]),
                _percent(each.get("accuracy")),
            ]
            for each in stages
        ]
        yield f"<h5>the proof</h5>{_table([heading, *cells])}"


def _share(share: float) -> tuple[str, str]:
    return _percent(share), _bar(share, "#1a7f4b")


def _confusion(report: Mapping[str, Any]) -> Iterator[str]:
    """Confusion matrices of the trained model and of the bundle, rows true classes."""
    confusion, labels = report.get("confusion"), report.get("labels")
    if not isinstance(confusion, Mapping) or not isinstance(labels, Sequence) or not 0 < len(labels) <= _MOST_CLASSES:
        return
    matrices = [
        f"<td style='padding-right:24px'>{name}{_matrix(confusion.get(key), labels)}</td>"
        for name, key in (("trained", "float"), ("bundle", "bundle"))
    ]
    yield f"<h5>confusion</h5><table><tr style='vertical-align:top;background:none'>{''.join(matrices)}</tr></table>"


def _matrix(counts: Any, labels: Sequence[Any]) -> str:
    size, cell = len(labels), 20
    if not (
        isinstance(counts, Sequence)
        and len(counts) == size
        and all(isinstance(row, Sequence) and len(row) == size for row in counts)
    ):
        return ""
    squares = []
    for row, numbers in enumerate(counts):
        total = max(sum(numbers), 1)
        for column, count in enumerate(numbers):
            colour = "#1f5f99" if row == column else "#c0392b"
            title = escape(f"{labels[row]}, answered {labels[column]}: {count}")
            place = f"x='{column * cell}' y='{row * cell}' width='{cell - 1}' height='{cell - 1}'"
            squares.append(
                f"<rect {place} fill='{colour}' fill-opacity='{0.06 + 0.94 * count / total:.2f}'><title>{title}</title></rect>"
            )
    return f"<br/><svg width='{size * cell}' height='{size * cell}'>{''.join(squares)}</svg>"


def _layers(report: Mapping[str, Any]) -> Iterator[str]:
    """What quantisation costs the layers that suffer most, as signal-to-noise ratio."""
    layers = [layer for layer in _rows(report.get("layers")) if _is_number(layer.get("snr_db"))]
    worst = sorted(layers, key=lambda layer: float(layer["snr_db"]))[:_MOST_LAYERS]
    if worst:
        cells = [[escape(f"{each.get('part')}: {each.get('layer')}"), *_noise(float(each["snr_db"]))] for each in worst]
        yield f"<h5>layers that lose most to quantisation (signal to noise)</h5>{_table(cells)}"


def _noise(snr_db: float) -> tuple[str, str]:
    return _bar(snr_db / _FULL_BAR_DB, _grade(snr_db)), f"{snr_db:.1f} dB"


def _strips(path: Path | None) -> Iterator[str]:
    """The worst clips as strips of frames, from the page that the conversion left beside the bundle."""
    if path is None:
        return
    page = path.with_name(path.stem + _PAGE_SUFFIX)
    try:
        reader = _Pictures()
        reader.feed(page.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    pictures = "".join(
        f"<img alt='{escape(alt)}' title='{escape(alt)}' src='{source}' style='height:64px;margin:1px'/>"
        for alt, source in reader.found
    )
    yield f"<h5>clips, from {escape(page.name)}</h5><div>{pictures}</div>" if pictures else ""


class _Pictures(HTMLParser):
    """Collects the pictures that a page carries inside itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = dict(attrs).get("src") or ""
        if tag == "img" and source.startswith("data:image/") and "'" not in source and len(self.found) < _MOST_PICTURES:
            self.found.append((dict(attrs).get("alt") or "", source))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, Sequence) else []


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{cells}</table>"


def _bar(share: float, colour: str) -> str:
    full, width = 120, 120 * min(max(float(share), 0.0), 1.0)
    bars = [
        f"<rect width='{each:.0f}' height='10' rx='5' fill='{fill}'/>"
        for each, fill in ((full, "#eef2f6"), (width, colour))
    ]
    return f"<svg width='{full}' height='10'>{''.join(bars)}</svg>"


def _grade(snr_db: float) -> str:
    return next(colour for limit_db, colour in _GRADES_DB if snr_db < limit_db)


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if _is_number(share) else "–"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
