"""Detects code in a model's configuration, and names the functions that can replace it."""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from convert.loading.model_config import walk


def holds_code(config: Any) -> bool:
    """Return whether a configuration contains a Lambda layer or a serialized function."""
    return any(isinstance(each, dict) and each.get("class_name") in ("Lambda", "__lambda__") for each in walk(config))


def replacement_names(config: Any) -> list[str]:
    """Return the sorted names of the functions that can replace Lambda layers."""
    layers = [
        each.get("config") for each in walk(config) if isinstance(each, dict) and each.get("class_name") == "Lambda"
    ]
    return sorted({function_name(str(each.get("name"))) for each in layers if isinstance(each, dict)})


def function_name(layer: str) -> str:
    """Return the name of the function that replaces a Lambda layer.

    It is the layer's own name if Python allows it. Keras 2 calls the first Lambda layer `lambda`,
    which is a keyword; its function is `lambda_`.
    """
    return f"{layer}_" if iskeyword(layer) else layer
