"""What renders the templates of all reports, without a framework."""

from __future__ import annotations

import base64
from typing import Any


def environment() -> Any:
    """Return what renders the templates of all reports."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("convert.reporting"),
        # Names of clips, layers and labels come from files.
        autoescape=True,
        # A key that the template misspells is an error, not an empty cell.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "kilobytes": kilobytes,
        "data_url": _data_url,
        "svg_url": _svg_url,
        "number": _number,
        "grade": grade,
    }
    return environment


def grade(snr_db: float) -> str:
    """Return the CSS class of a layer's signal-to-noise ratio: "bad", "fair" or "good"."""
    # At 15 dB the error is a fifth of the signal.
    return "bad" if snr_db < 15 else "fair" if snr_db < 25 else "good"


def percent(share: float | None) -> str:
    """Format a share from 0 to 1, such as "98.3 %"; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def kilobytes(count: int) -> str:
    """Format a number of bytes, such as "123 kB" of 1000 bytes each."""
    return f"{count / 1000:,.0f} kB"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _svg_url(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
