"""Operators in a functional model: `x / 127.5` is no layer, but a call all the same.

Keras 3 names some of its operators as it names layers (`Add`, `Softmax`, `Reshape`), with other attributes: kinds are only trusted for layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.graph.layer_graph import Call

# Keras 3's class, or the last word of tf_keras's symbol, in small letters.
_BY_ELEMENT = frozenset(
    "add sub subtract mul multiply div divide truediv truedivide maximum minimum pow power neg negative abs absolute square sqrt exp "
    "relu sigmoid tanh cast identity".split()
)


def is_operator(call: Call) -> bool:
    """Tell an operator from a layer.

    Args:
        call: Any call.

    Returns:
        Whether what it calls is an operator.
    """
    return hasattr(call.layer, "symbol") or not hasattr(call.layer, "trainable_weights")


def name(call: Call) -> str:
    """Give an operator's name, one for both frameworks.

    Args:
        call: A call of an operator.

    Returns:
        Such as "add", in small letters.
    """
    symbol = str(getattr(call.layer, "symbol", call.kind))
    return symbol.rpartition(".")[2].lower()


def is_by_element(call: Call) -> bool:
    """Tell whether an operator treats each number by itself.

    Args:
        call: A call of an operator.

    Returns:
        Whether it does; not where it takes a constant with so many axes that one lies along time.
    """
    return name(call) in _BY_ELEMENT and all(np.ndim(each) < len(call.shape) - 1 for each in constants(call))


def constants(call: Call) -> list[Any]:
    """Give what a call is given besides tensors.

    Args:
        call: Any call.

    Returns:
        Its other arguments.
    """
    tensor = object()
    args, kwargs = call.arguments(dict.fromkeys(call.inputs, tensor))
    return [each for each in (*args, *kwargs.values()) if each is not tensor]


def takes_newest(call: Call) -> bool:
    """Tell whether an operator is `x[:, -1]` or `x[:, -1, :]`.

    Args:
        call: A call of an operator.

    Returns:
        Whether it takes the last place on the second axis and all of any other.
    """
    if name(call) != "getitem":
        return False
    keys = [each for each in constants(call) if isinstance(each, (tuple, list))]
    places = [_place(each) for each in keys[0]] if len(keys) == 1 else []
    return len(places) >= 2 and places[1] == -1 and all(place == slice(None) for place in (places[0], *places[2:]))


def _place(key: Any) -> Any:
    """One index of a subscript: tf_keras writes slices as dictionaries."""
    return slice(key["start"], key["stop"], key["step"]) if isinstance(key, dict) else key


def is_opaque(call: Call) -> bool:
    """Tell whether what a call does to its axes cannot be told from its name.

    Args:
        call: Any call.

    Returns:
        Whether it is an operator, anyone's class, or code in a file that was allowed.
    """
    return is_operator(call) or is_opaque_layer(call.layer)


def is_opaque_layer(layer: Any) -> bool:
    """Tell whether what a layer does to its axes cannot be told from its name.

    Args:
        layer: Any layer.

    Returns:
        Whether it is anyone's class, or code in a file that was allowed.
    """
    return type(layer).__name__ in ("Lambda", "EinsumDense") or type(layer).__module__.partition(".")[0] not in (
        "keras",
        "tf_keras",
    )
