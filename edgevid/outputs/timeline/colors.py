"""A colour for each label, the same in every figure."""

from __future__ import annotations

from collections.abc import Sequence

# The colours of Tableau 10 without its gray, which is that of the background class.
_COLORS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#ff9da7", "#9c755f")
GRAY = "#aab2bd"


def label_colors(labels: Sequence[str], background: Sequence[str] = ()) -> dict[str, str]:
    """Assign a color to each label, the same in every figure.

    Args:
        labels: All labels.
        background: Labels that are never events; they are gray.

    Returns:
        A map from label to color, in the notation of HTML.
    """
    foreground = [label for label in labels if label not in background]
    colors = {label: _COLORS[index % len(_COLORS)] for index, label in enumerate(foreground)}
    return {**dict.fromkeys(background, GRAY), **colors}
