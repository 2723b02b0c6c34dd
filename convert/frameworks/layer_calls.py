"""Replace the `call` of Keras layers for the duration of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def replace_calls(calls: Mapping[Any, Callable[..., Any]]) -> Iterator[None]:
    """Let layers compute something else inside the block, however deeply they are nested in other layers.

    Args:
        calls: The replacement of each layer's `call`. The layers are unchanged after the block.
    """
    for layer, call in calls.items():
        # Keras tracks what is assigned to a layer; bypass its `__setattr__` and `__delattr__`.
        object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        # The instance attribute hid the method of the class, which is visible again.
        for layer in calls:
            object.__delattr__(layer, "call")
