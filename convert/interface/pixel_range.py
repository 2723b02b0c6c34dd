"""What pixel range a model's first layers expect: 0 to 1, or bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.graph.layer_graph import Call, LayerGraph, is_nested, read_graph
from convert.graph.operators import constants, is_operator, name

# A model that divides by this much at its beginning was given bytes, and so was one that takes this much off (ImageNet's means are 104 to 124).
_BYTES, _MEAN = 100.0, 50.0


_DIVIDING, _MULTIPLYING = ("divide", "truedivide", "truediv"), ("multiply", "mul")


_SHIFTING = ("subtract", "sub", "add", "bias_add")


# Operators that leave values as they are, and layers that do so outside of training, or but for where they are.
_REARRANGING = ("cast", "getitem", "stack", "flip", "reverse")


_LEAVING = frozenset(
    "Resizing CenterCrop Cropping2D ZeroPadding2D Permute Reshape GaussianNoise GaussianDropout Dropout SpatialDropout2D Identity".split()
)


def takes_bytes(graph: LayerGraph) -> bool:
    """Tell whether a model scales pixels itself, and so was trained on 0 to 255.

    Args:
        graph: The model.

    Returns:
        Whether the first thing that it does with their values is to divide by a hundred or more, or to take off the mean of bytes.
    """
    tensors = {graph.input}
    while True:
        readers = [call for call in graph.calls if tensors & set(call.inputs)]
        if not readers or not all(_leaves_values(call) for call in readers):
            return len(readers) == 1 and _is_of_bytes(readers[0])
        tensors = {number for call in readers for number in call.outputs}


def _leaves_values(call: Call) -> bool:
    if is_operator(call):
        return call.kind == "Feed" or name(call) in _REARRANGING
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    if is_nested(inner):
        return len(inner.inputs) == len(inner.outputs) == 1 and all(
            _leaves_values(each) for each in read_graph(inner).calls
        )
    return type(inner).__name__ in _LEAVING or type(inner).__name__.startswith("Random")


def _is_of_bytes(call: Call) -> bool:
    if is_operator(call):
        least, most = _magnitude(constants(call))
        return any(
            (
                name(call) in _DIVIDING and most >= _BYTES,
                name(call) in _MULTIPLYING and 0 < least <= 1 / _BYTES,
                name(call) in _SHIFTING and most >= _MEAN,
            )
        )
    inner = call.layer.layer if call.kind == "TimeDistributed" else call.layer
    if is_nested(inner):
        return len(inner.inputs) == len(inner.outputs) == 1 and takes_bytes(read_graph(inner))
    if type(inner).__name__ == "Normalization":
        return float(np.max(np.abs(inner.mean))) >= _MEAN
    return type(inner).__name__ == "Rescaling" and float(np.max(np.abs(inner.scale))) <= 1 / _BYTES


def _magnitude(given: list[Any]) -> tuple[float, float]:
    """Least and greatest magnitude of the numbers that a call is given besides tensors; zeros where there are none."""
    found = [np.abs(np.asarray(each, np.float64)) for each in given if _is_numeric(each)]
    return (min(float(each.min()) for each in found), max(float(each.max()) for each in found)) if found else (0.0, 0.0)


def _is_numeric(value: Any) -> bool:
    if value is None or isinstance(value, (bool, str, dict)):
        return False
    return np.asarray(value).dtype.kind in "fiu" and np.size(value) > 0
