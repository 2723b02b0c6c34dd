"""Precisions as data: what each recipe does to each part, cheapest first."""

from __future__ import annotations

from dataclasses import dataclass

from edgevid.bundle.manifest import Precision, Role
from edgevid.errors import UsageError


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

    def coarser(self, other: Recipe) -> bool:
        """Tell whether no part is nearer to the trained model than in another recipe.

        Args:
            other: The other one.

        Returns:
            Whether trying this one can be spared where the other has failed.
        """
        return all(
            _FINENESS[own] <= _FINENESS[its] for own, its in ((self.encoder, other.encoder), (self.tail, other.tail))
        )


_FINENESS: dict[Precision, int] = {"int8": 0, "int16x8": 1, "float16": 2, "float32": 3}

# Part by part, in the order of their cost on a CPU. The encoder is most of it, so the head rises first; a head in 16x8 has no XNNPACK kernels and
# takes four times as long as one in int8 or float, and its answers are not nearer to the trained model's than a float head's; behind a float
# encoder the head may be int8 again (docs/explanation/decisions/0002-precision-search-order.md).
RECIPES = (
    Recipe("int8", "int8", "int8"),
    Recipe("int8+float", "int8", "float32"),
    Recipe("int8+int16x8", "int8", "int16x8"),
    Recipe("float16+int8", "float16", "int8"),
    Recipe("float16", "float16", "float16"),
    Recipe("float32", "float32", "float32"),
)
_LIGHT = "int8+float"
NAMES = tuple(recipe.name for recipe in RECIPES)
AUTO = "auto"
# What people write who name the head.
ALIASES = {
    "int8+float head": "int8+float",
    "int8+16x8 head": "int8+int16x8",
    "int8+16x8": "int8+int16x8",
    "float16+int8 head": "float16+int8",
}
TITLES = {recipe.name: recipe.name for recipe in RECIPES} | {
    "int8+float": "int8 + float head",
    "int8+int16x8": "int8 + 16x8 head",
    "float16+int8": "float16 + int8 head",
}


def candidates(name: str, *, parts: int, int8_first: bool = False, light_head: bool = False) -> tuple[Recipe, ...]:
    """Give the recipes to try.

    Args:
        name: One of `NAMES` or `ALIASES`, or "auto".
        parts: How many parts the plan has; recipes that differ only in a second part are left out for one.
        int8_first: Whether the first part has to be in int8, as for the Edge TPU.
        light_head: Whether the head's products are so few that it costs in float what it costs in int8.

    Returns:
        Recipes, cheapest first.

    Raises:
        UsageError: No recipe of that name, or not for such a model.
    """
    name = ALIASES.get(name, name)
    if name not in (*NAMES, AUTO):
        raise UsageError(expected=f"a precision, one of {AUTO}, {', '.join(NAMES)}", got=name)
    chosen = [
        recipe for recipe in RECIPES if name in (AUTO, recipe.name) and (recipe.encoder == "int8" or not int8_first)
    ]
    if not chosen:
        raise UsageError(
            expected=f"a precision with an int8 encoder for the Edge TPU, such as {AUTO} or int8", got=name
        )
    if parts > 1:
        return tuple(sorted(chosen, key=lambda recipe: recipe.name != _LIGHT)) if light_head else tuple(chosen)
    alike = tuple(recipe for recipe in chosen if recipe.encoder == recipe.tail)
    if not alike:
        raise UsageError(expected="a precision for a model of one part, one of int8, float16, float32", got=name)
    return alike
