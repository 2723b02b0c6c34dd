"""Models that are classes of their own: their `call` is followed on symbolic tensors, so that they are layer graphs as any other.

What such a class does between its layers is Python, and a file holds none of it: it comes with `--custom-objects`. Where `call` does something that symbolic
tensors do not take, the model is one layer, which is run whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.graph.layer_graph import is_nested
from edgevid.errors import ModelError

_TOLERANCE = 1e-5


def laid_out(model: Any, framework: Any) -> tuple[Any, str]:
    """Give a model as a functional one.

    Args:
        model: Any model of the framework, with its weights.
        framework: The module keras or tf_keras.

    Returns:
        The model, the same object where it is functional or Sequential already; and what was done, or an empty string.

    Raises:
        ModelError: It was saved before it saw an input, takes several, or gives no tensor.
    """
    if is_nested(model):
        return model, ""
    shape = _input_shape(model)
    inputs = framework.Input(shape[1:])
    name = type(model).__name__
    followed = _followed(model, framework, inputs)
    if followed is not None and _answers_alike(followed, model, shape):
        return followed, f"the class {name} was followed from layer to layer"
    try:
        return framework.Model(inputs, model(inputs)), f"the class {name} is run whole: its layers cannot be told apart"
    except Exception as error:  # a class may be anyone's, and raise anything
        raise ModelError(
            expected=f"a model that can be called on frames of {shape[1:]}",
            found=f"the class {name}, which says: {reason_of(error)}",
        ) from error


def _input_shape(model: Any) -> tuple[int | None, ...]:
    shape = next((each for each in internals.built_shapes(model) if each is not None), None)
    sizes = tuple(shape) if shape is not None and not isinstance(shape, dict) else ()
    if len(sizes) < 2 or not all(size is None or isinstance(size, int) for size in sizes):
        raise ModelError(
            expected="a model with one input of known shape",
            found=f"the class {type(model).__name__}, saved with {shape or 'none'}",
            hint="Call it on an example before it is saved, or rebuild it with the functional API.",
        )
    return sizes


def _followed(model: Any, framework: Any, inputs: Any) -> Any:
    """The layers that the class calls, by calling it on a symbolic tensor; None where it does what only numbers can."""
    asks = "training" in inspect.signature(model.call).parameters
    try:
        return framework.Model(inputs, model.call(inputs, **({"training": False} if asks else {})))
    except Exception:  # noqa: BLE001  # a class may be anyone's, and raise anything
        return None


def _answers_alike(followed: Callable[..., Any], model: Callable[..., Any], shape: tuple[int | None, ...]) -> bool:
    """Whether nothing was lost on the way: a branch that was taken by a number, or a function outside of any layer."""
    window = np.random.default_rng(0).random((1, *[size or 8 for size in shape[1:]])).astype(np.float32)
    given, expected = (np.asarray(each(window, training=False)) for each in (followed, model))
    return given.shape == expected.shape and bool(np.allclose(given, expected, atol=_TOLERANCE))
