"""Code that a model file holds: whether there is any, and the names of functions that could stand for it."""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from convert.loading.model_config import values


def code_in(config: Any) -> bool:
    """Tell whether a configuration holds code.

    Args:
        config: A configuration.

    Returns:
        Whether there is a Lambda layer or a function written out in it.
    """
    return any(isinstance(each, dict) and each.get("class_name") in ("Lambda", "__lambda__") for each in values(config))


def lambdas_in(config: Any) -> list[str]:
    """Name the functions that could stand for the Lambda layers of a configuration.

    Args:
        config: A configuration.

    Returns:
        What `function_name` makes of their names, sorted.
    """
    layers = [
        each.get("config") for each in values(config) if isinstance(each, dict) and each.get("class_name") == "Lambda"
    ]
    return sorted({function_name(str(each.get("name"))) for each in layers if isinstance(each, dict)})


def function_name(layer: str) -> str:
    """Give the name of a function that stands for a Lambda layer.

    Args:
        layer: The layer's name; Keras 2 calls the first one `lambda`, which no function can be.

    Returns:
        The same, or with an underscore behind it.
    """
    return f"{layer}_" if iskeyword(layer) else layer
