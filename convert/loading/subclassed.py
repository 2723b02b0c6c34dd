"""Turns subclassed models into functional ones, by calling them on symbolic tensors.

The work between the layers of such a class is Python, which comes with `--custom-objects`. If
`call` does something that symbolic tensors do not support, the model becomes one layer, which runs
as a whole.
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

# Both run the same layers; only the order of sums may differ.
_TOLERANCE = 1e-5


def to_functional(model: Any, framework: Any) -> tuple[Any, str]:
    """Turn a model into a functional one.

    Args:
        model: Any model of the framework, with its weights.
        framework: The module keras or tf_keras.

    Returns:
        The functional model and a note. A functional or Sequential model is returned as it is, with
        an empty note.

    Raises:
        ModelError: The model was saved before its first call, takes several inputs, or returns no
            tensor.
    """
    if is_nested(model):
        return model, ""
    shape = _input_shape(model)
    inputs = framework.Input(shape[1:])
    name = type(model).__name__
    functional = _trace_layers(model, framework, inputs)
    if functional is not None and _answer_alike(functional, model, shape):
        return functional, f"the class {name} was followed from layer to layer"
    try:
        return framework.Model(inputs, model(inputs)), f"the class {name} is run whole: its layers cannot be separated"
    except Exception as error:  # a custom class can raise anything
        raise ModelError(
            expected=f"a model that can be called on frames of {shape[1:]}",
            found=f"the class {name}, which raises: {reason_of(error)}",
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


def _trace_layers(model: Any, framework: Any, inputs: Any) -> Any:
    """Return a functional model of the layers that `call` uses, or None if `call` needs numbers."""
    options = {"training": False} if "training" in inspect.signature(model.call).parameters else {}
    try:
        return framework.Model(inputs, model.call(inputs, **options))
    except Exception:  # noqa: BLE001  # a custom class can raise anything
        return None


def _answer_alike(functional: Callable[..., Any], model: Callable[..., Any], shape: tuple[int | None, ...]) -> bool:
    # Tracing can lose a branch that depends on a number, or a function outside of any layer.
    window = np.random.default_rng(0).random((1, *[size or 8 for size in shape[1:]])).astype(np.float32)
    answer, expected = (np.asarray(each(window, training=False)) for each in (functional, model))
    return answer.shape == expected.shape and bool(np.allclose(answer, expected, atol=_TOLERANCE))
