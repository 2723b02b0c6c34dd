"""A directive that draws a package's layers from the import contract in pyproject.toml.

```{layers} edgevid
```
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
_BOX_HEIGHT_PX, _GAP_PX, _WIDTH_PX = 34, 10, 720


def layers_of(package: str) -> list[list[str]]:
    """Return the layers of a package, the highest first; modules of one layer do not import each other."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if each.get("containers") == [package])
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def draw(layers: list[list[str]]) -> str:
    """Draw layers as rows of boxes, as SVG."""
    boxes = []
    for row, names in enumerate(layers):
        free_px = _WIDTH_PX - _GAP_PX * (len(names) - 1)
        # In proportion to the names, with room for a margin, so that a long one fits its box.
        shares = [len(name) + 6 for name in names]
        x, y = 0.0, row * (_BOX_HEIGHT_PX + _GAP_PX)
        for name, share in zip(names, shares, strict=True):
            width = free_px * share / sum(shares)
            boxes.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_BOX_HEIGHT_PX}" rx="6" class="layer"/>'
                f'<text x="{x + width / 2:.0f}" y="{y + 22}" text-anchor="middle">{escape(name)}</text>'
            )
            x += width + _GAP_PX
    height = len(layers) * (_BOX_HEIGHT_PX + _GAP_PX) - _GAP_PX
    label = f"{len(layers)} layers; each imports only what is below it"
    return (
        f'<svg viewBox="0 0 {_WIDTH_PX} {height}" role="img" aria-label="{label}" class="layers">{"".join(boxes)}</svg>'
    )


class Layers(SphinxDirective):
    """Draws the layers of the package that is its argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the drawing."""
        return [nodes.raw("", draw(layers_of(self.arguments[0])), format="html")]


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("layers", Layers)
    app.add_css_file("layers.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
