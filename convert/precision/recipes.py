"""Recipes: the precision of each part of a model, cheapest recipe first."""

from __future__ import annotations

from dataclasses import dataclass

from edgevid.bundle.parts import Precision, Role
from edgevid.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """The precision of each part of a model.

    Attributes:
        name: The value of `--precision`.
        encoder: Precision of the encoder, or of the whole model under plan "stack".
        tail: Precision of the head or step.
    """

    name: str
    encoder: Precision
    tail: Precision

    def precision(self, role: Role) -> Precision:
        """Return the precision of the part with a role."""
        return self.encoder if role in ("encoder", "whole") else self.tail

    def is_coarser_than(self, other: Recipe) -> bool:
        """Return whether no part is more precise than in another recipe.

        If `other` failed the proof, the search skips such a recipe.
        """
        pairs = ((self.encoder, other.encoder), (self.tail, other.tail))
        return all(_FINENESS[own] <= _FINENESS[its] for own, its in pairs)


_FINENESS: dict[Precision, int] = {"int8": 0, "int16x8": 1, "float16": 2, "float32": 3}

# The order is by cost on a CPU (docs/explanation/decisions/0002-precision-search-order.md). The
# encoder is most of the cost, so the head's precision rises first. A 16x8 head has no XNNPACK
# kernels: it takes four times as long as an int8 or float head, and is no closer to the trained
# model than a float head. Behind a float encoder the head may be int8 again.
RECIPES = (
    Recipe("int8", "int8", "int8"),
    Recipe("int8+float", "int8", "float32"),
    Recipe("int8+int16x8", "int8", "int16x8"),
    Recipe("float16+int8", "float16", "int8"),
    Recipe("float16", "float16", "float16"),
    Recipe("float32", "float32", "float32"),
)
# For a head so small that float costs as much as int8, this recipe comes first.
_LIGHT = "int8+float"
NAMES = tuple(recipe.name for recipe in RECIPES)
AUTO = "auto"
# Other spellings of `--precision`, for those who name the head.
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
    """Return the recipes to try, cheapest first.

    Args:
        name: One of `NAMES` or `ALIASES`, or "auto".
        parts: Number of parts of the plan. For 1, the recipes with two precisions are left out.
        int8_first: Whether the first part must be int8, as for the Edge TPU.
        light_head: Whether the head is so small that float costs as much as int8.

    Raises:
        UsageError: There is no such recipe, or it does not suit the number of parts or the Edge TPU.
    """
    name = ALIASES.get(name, name)
    if name not in (*NAMES, AUTO):
        raise UsageError(expected="a precision", choices=(AUTO, *NAMES), got=name)
    recipes = [
        recipe for recipe in RECIPES if name in (AUTO, recipe.name) and (recipe.encoder == "int8" or not int8_first)
    ]
    if not recipes:
        raise UsageError(
            expected=f"a precision with an int8 encoder for the Edge TPU, such as {AUTO} or int8", got=name
        )
    if parts == 1:
        return _for_one_part(recipes, name)
    # The sort is stable: only the light recipe changes its place.
    return tuple(sorted(recipes, key=lambda recipe: recipe.name != _LIGHT)) if light_head else tuple(recipes)


def _for_one_part(recipes: list[Recipe], name: str) -> tuple[Recipe, ...]:
    uniform = tuple(recipe for recipe in recipes if recipe.encoder == recipe.tail)
    if not uniform:
        legal = [recipe.name for recipe in RECIPES if recipe.encoder == recipe.tail]
        raise UsageError(expected="a precision for a model of one part", choices=legal, got=name)
    return uniform
