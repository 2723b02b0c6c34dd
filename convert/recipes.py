"""Precisions as data: what each recipe does to each part, cheapest first."""

from __future__ import annotations

from dataclasses import dataclass

from edgevid.errors import UsageError
from edgevid.manifest import Precision, Role


@dataclass(frozen=True)
class Recipe:
    """How the parts of a model are quantised.

    Attributes:
        name: What a person writes.
        encoder: Precision of what runs once a frame, and of a `stack` model as a whole.
        tail: Precision of what runs over time.
    """

    name: str
    encoder: Precision
    tail: Precision

    def precision(self, role: Role) -> Precision:
        """Give the precision of a part.

        Args:
            role: The part's role.

        Returns:
            Its precision.
        """
        return self.encoder if role in ("encoder", "whole") else self.tail


# In the order of their cost on a CPU: a head in 16x8 has no XNNPACK kernels and takes four times as long as one in int8 or float, and its
# answers are not nearer to the trained model's than a float head's (docs/decisions/0002-precision.md).
RECIPES = (
    Recipe("int8", "int8", "int8"),
    Recipe("int8+float", "int8", "float32"),
    Recipe("int8+int16x8", "int8", "int16x8"),
    Recipe("float16", "float16", "float16"),
    Recipe("float32", "float32", "float32"),
)
NAMES = tuple(recipe.name for recipe in RECIPES)
AUTO = "auto"


def candidates(name: str, *, parts: int) -> tuple[Recipe, ...]:
    """Give the recipes to try.

    Args:
        name: One of `NAMES`, or "auto".
        parts: How many parts the plan has; recipes that differ only in a second part are left out for one.

    Returns:
        Recipes, cheapest first.

    Raises:
        UsageError: No recipe of that name.
    """
    if name not in (*NAMES, AUTO):
        raise UsageError(f"Expected a precision, one of {AUTO}, {', '.join(NAMES)}, got {name!r}.", expected=(AUTO, *NAMES), got=name)
    chosen = [recipe for recipe in RECIPES if name in (AUTO, recipe.name)]
    if parts > 1:
        return tuple(chosen)
    if name in ("int8+float", "int8+int16x8"):
        raise UsageError(f"Expected a precision for a model of one part, one of int8, float16, float32, got {name!r}.", got=name)
    return tuple(recipe for recipe in chosen if recipe.encoder == recipe.tail)
