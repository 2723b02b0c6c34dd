"""The representation of a model: one line in a terminal, and facts and pictures in a notebook.

The pictures come from the report of the conversion. A bundle is valid whatever its report contains,
so sections that are missing or have another form are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from edgevid.bundle import Bundle

_MOST_CLASSES, _MOST_LAYERS, _MOST_PICTURES = 24, 12, 40
# Signal-to-noise ratio of a layer: bad below 15 dB, where the error is a fifth of the signal, and
# fair below 25 dB. The HTML report of the conversion uses the same limits.
_GRADES_DB = ((15.0, "#c0392b"), (25.0, "#d9a441"), (float("inf"), "#1a7f4b"))
_FULL_BAR_DB = 50.0
_BAR_PX, _CELL_PX = 120, 20
_PAGE_SUFFIX = ".report.html"


def describe(bundle: Bundle) -> str:
    """Return one line: name, classes, window, plan and precisions."""
    manifest = bundle.manifest
    window = manifest.window
    precisions = " + ".join(f"{part.role} {part.precision}" for part in manifest.parts)
    return (
        f"{manifest.name!r}: {len(manifest.labels)} classes, {window.frames} frames of {window.interval_s:g} s, "
        f"plan {manifest.plan}, {precisions}"
    )


def as_html(bundle: Bundle, *, path: Path | None) -> str:
    """Return a description of a bundle for a notebook.

    Args:
        bundle: A checked bundle.
        path: The bundle's file. If an HTML report of the conversion is next to it, the strips of
            clips in the report are shown too.

    Returns:
        HTML that loads nothing from elsewhere.
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
    more = " …" if len(manifest.labels) > _MOST_CLASSES else ""
    rows = [
        ("classes", ", ".join(manifest.labels[:_MOST_CLASSES]) + more),
        ("window", f"{window.frames} frames, {window.interval_s:g} s apart"),
        ("frame", frame),
        ("plan", manifest.plan),
        ("parts", ", ".join(f"{part.role} {part.precision}" for part in manifest.parts)),
        ("models", f"{sum(map(len, bundle.models.values())) / 1000:,.0f} kB"),
    ]
    return _table([[f"<b>{name}</b>", escape(text)] for name, text in rows])


def _stages(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the agreement and accuracy of each stage of the proof."""
    stages = [stage for stage in _rows(report.get("stages")) if _is_number(stage.get("agreement"))]
    if stages:
        heading = ["<b>stage</b>", "<b>clips</b>", "<b>agreement</b>", "", "<b>accuracy</b>"]
        yield f"<h5>the proof</h5>{_table([heading, *map(_stage_cells, stages)])}"


def _stage_cells(stage: Mapping[str, Any]) -> list[str]:
    name, clips = escape(str(stage.get("name"))), escape(str(stage.get("clips")))
    agreement = stage["agreement"]
    return [name, clips, _percent(agreement), _bar(agreement, "#1a7f4b"), _percent(stage.get("accuracy"))]


def _confusion(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the confusion matrices of the trained model and of the bundle; rows are true classes."""
    confusion, labels = report.get("confusion"), report.get("labels")
    if not isinstance(confusion, Mapping) or not isinstance(labels, Sequence) or not 0 < len(labels) <= _MOST_CLASSES:
        return
    matrices = [
        f"<td style='padding-right:24px'>{name}{_matrix(confusion.get(key), labels)}</td>"
        for name, key in (("trained", "float"), ("bundle", "bundle"))
    ]
    yield f"<h5>confusion</h5><table><tr style='vertical-align:top;background:none'>{''.join(matrices)}</tr></table>"


def _matrix(counts: Any, labels: Sequence[Any]) -> str:
    size = len(labels)
    if not (
        isinstance(counts, Sequence)
        and len(counts) == size
        and all(isinstance(row, Sequence) and len(row) == size for row in counts)
    ):
        return ""
    rows = "".join(_matrix_row(counts[row], row, labels) for row in range(size))
    return f"<br/><svg width='{size * _CELL_PX}' height='{size * _CELL_PX}'>{rows}</svg>"


def _matrix_row(counts: Sequence[Any], row: int, labels: Sequence[Any]) -> str:
    total = max(sum(counts), 1)
    squares = []
    for column, count in enumerate(counts):
        color = "#1f5f99" if row == column else "#c0392b"
        # Never fully transparent, so that empty squares show the grid.
        opacity = 0.06 + 0.94 * count / total
        title = escape(f"{labels[row]}, answered {labels[column]}: {count}")
        place = f"x='{column * _CELL_PX}' y='{row * _CELL_PX}' width='{_CELL_PX - 1}' height='{_CELL_PX - 1}'"
        squares.append(f"<rect {place} fill='{color}' fill-opacity='{opacity:.2f}'><title>{title}</title></rect>")
    return "".join(squares)


def _layers(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the layers that lose most to quantisation, with their signal-to-noise ratios."""
    layers = [layer for layer in _rows(report.get("layers")) if _is_number(layer.get("snr_db"))]
    worst = sorted(layers, key=lambda layer: float(layer["snr_db"]))[:_MOST_LAYERS]
    if worst:
        cells = [_layer_cells(layer) for layer in worst]
        yield f"<h5>layers that lose most to quantisation (signal to noise)</h5>{_table(cells)}"


def _layer_cells(layer: Mapping[str, Any]) -> list[str]:
    snr_db = float(layer["snr_db"])
    name = escape(f"{layer.get('part')}: {layer.get('layer')}")
    return [name, _bar(snr_db / _FULL_BAR_DB, _grade(snr_db)), f"{snr_db:.1f} dB"]


def _strips(path: Path | None) -> Iterator[str]:
    """Yield the worst clips as strips of frames, from the HTML report next to the bundle."""
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
    """Collects the pictures that are embedded in a page, as (alternative text, data URL)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = dict(attrs).get("src") or ""
        # Only embedded pictures, which load nothing. A quote would end the attribute around the
        # source.
        is_safe = source.startswith("data:image/") and "'" not in source
        if tag == "img" and is_safe and len(self.found) < _MOST_PICTURES:
            self.found.append((dict(attrs).get("alt") or "", source))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, Sequence) else []


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{cells}</table>"


def _bar(share: float, color: str) -> str:
    width = _BAR_PX * min(max(float(share), 0.0), 1.0)
    background = f"<rect width='{_BAR_PX}' height='10' rx='5' fill='#eef2f6'/>"
    bar = f"<rect width='{width:.0f}' height='10' rx='5' fill='{color}'/>"
    return f"<svg width='{_BAR_PX}' height='10'>{background}{bar}</svg>"


def _grade(snr_db: float) -> str:
    return next(color for limit_db, color in _GRADES_DB if snr_db < limit_db)


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if _is_number(share) else "–"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
