"""Operators in a functional model: `x / 127.5` is a call without a layer.

Keras 3 gives some operators the class names of layers (`Add`, `Softmax`, `Reshape`), with other attributes.
So code elsewhere compares `Call.kind` only where the call is a layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.graph.arguments import flat
from convert.graph.layer_graph import Call

# Lower-case class name in Keras 3, or last component of the symbol in tf_keras.
_BY_ELEMENT = frozenset(
    "add sub subtract mul multiply div divide truediv truedivide maximum minimum pow power neg negative abs absolute "
    "square sqrt exp relu sigmoid tanh cast identity".split()
)
# Layers whose class name does not reveal which axes they touch.
_OPAQUE_KINDS = ("Lambda", "EinsumDense")
_KERAS_PACKAGES = ("keras", "tf_keras")


def is_operator(call: Call) -> bool:
    """Return whether a call is an operator and not a layer."""
    # tf_keras wraps an operator in a layer with a `symbol`; Keras 3's operators have no weights at all.
    return hasattr(call.layer, "symbol") or not hasattr(call.layer, "trainable_weights")


def name(call: Call) -> str:
    """Return the name of an operator, the same for both frameworks.

    Args:
        call: A call of an operator.

    Returns:
        A lower-case name such as "add".
    """
    symbol = str(getattr(call.layer, "symbol", call.kind))
    return symbol.rpartition(".")[2].lower()


def is_by_element(call: Call) -> bool:
    """Return whether an operator works element by element.

    A constant of full rank disqualifies it: one of its axes runs along time, so frames get different values.

    Args:
        call: A call of an operator.
    """
    return name(call) in _BY_ELEMENT and all(np.ndim(each) < len(call.shape) - 1 for each in constants(call))


def constants(call: Call) -> list[Any]:
    """Return the arguments of a call that are not tensors of the graph."""
    # A placeholder that no argument can equal.
    tensor = object()
    args, kwargs = call.arguments(dict.fromkeys(call.inputs, tensor))
    return [each for each in (*args, *kwargs.values()) if each is not tensor]


def fixed_tensors(call: Call) -> list[Any]:
    """Return the tensors and arrays that a model passes to a layer and that no input changes, such as a mask.

    Args:
        call: A call of a layer.
    """
    return [each for each in flat(constants(call)) if hasattr(each, "dtype") and np.ndim(each) > 0]


def takes_newest(call: Call) -> bool:
    """Return whether an operator is `x[:, -1]` or `x[:, -1, :]`: the newest frame, whole.

    Args:
        call: A call of an operator.
    """
    if name(call) != "getitem":
        return False
    keys = [each for each in constants(call) if isinstance(each, (tuple, list))]
    indices = [_index(each) for each in keys[0]] if len(keys) == 1 else []
    return len(indices) >= 2 and indices[1] == -1 and all(each == slice(None) for each in (indices[0], *indices[2:]))


def _index(key: Any) -> Any:
    """Return one index of a subscript; tf_keras records a slice as a dictionary."""
    return slice(key["start"], key["stop"], key["step"]) if isinstance(key, dict) else key


def is_opaque(call: Call) -> bool:
    """Return whether the name of a call does not reveal which axes it touches: operators and opaque layers."""
    return is_operator(call) or is_opaque_layer(call.layer)


def is_opaque_layer(layer: Any) -> bool:
    """Return whether the class of a layer does not reveal which axes it touches.

    That holds for custom classes, for `EinsumDense` and for the code of a `Lambda` in a model file.
    """
    package = type(layer).__module__.partition(".")[0]
    return type(layer).__name__ in _OPAQUE_KINDS or package not in _KERAS_PACKAGES
