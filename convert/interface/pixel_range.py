"""Infers the range of pixels that a model expects, 0 to 1 or 0 to 255, from its first layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.graph.layer_graph import Call, LayerGraph, is_nested, read_graph
from convert.graph.operators import constants, is_operator, name

# Divisors from this on are meant for bytes: 127.5 and 255 are usual.
_BYTE_SCALE = 100.0
# So are means from this on (ImageNet's are 104 to 124).
_BYTE_MEAN = 50.0
_DIVISIONS, _PRODUCTS = ("divide", "truedivide", "truediv"), ("multiply", "mul")
_SHIFTS = ("subtract", "sub", "add", "bias_add")
# Operators that move values and do not change them.
_REARRANGEMENTS = ("cast", "getitem", "stack", "flip", "reverse")
# Layers that do the same, outside of training; an InputAdapter is the conversion's own first call.
_RANGE_KEEPING_LAYERS = frozenset(
    "Resizing CenterCrop Cropping2D ZeroPadding2D Permute Reshape GaussianNoise GaussianDropout Dropout "
    "SpatialDropout2D Identity InputAdapter".split()
)


def takes_bytes(graph: LayerGraph) -> bool:
    """Return whether a model scales pixels itself, and so was trained on 0 to 255.

    Such a model's first change of its input divides by `_BYTE_SCALE` or more, or subtracts
    `_BYTE_MEAN` or more.
    """
    tensors = {graph.input}
    while True:
        readers = [call for call in graph.calls if tensors & set(call.inputs)]
        if not readers or not all(_keeps_range(call) for call in readers):
            return len(readers) == 1 and _scales_bytes(readers[0])
        tensors = {number for call in readers for number in call.outputs}


def _keeps_range(call: Call) -> bool:
    if is_operator(call):
        return name(call) in _REARRANGEMENTS
    layer = _unwrapped(call)
    if is_nested(layer):
        return _has_one_path(layer) and all(_keeps_range(each) for each in read_graph(layer).calls)
    # RandomFlip, RandomRotation and their like do nothing outside of training.
    return type(layer).__name__ in _RANGE_KEEPING_LAYERS or type(layer).__name__.startswith("Random")


def _scales_bytes(call: Call) -> bool:
    if is_operator(call):
        least, most = _magnitudes(constants(call))
        return any(
            (
                name(call) in _DIVISIONS and most >= _BYTE_SCALE,
                name(call) in _PRODUCTS and 0 < least <= 1 / _BYTE_SCALE,
                name(call) in _SHIFTS and most >= _BYTE_MEAN,
            )
        )
    layer = _unwrapped(call)
    if is_nested(layer):
        return _has_one_path(layer) and takes_bytes(read_graph(layer))
    if type(layer).__name__ == "Normalization":
        return float(np.max(np.abs(layer.mean))) >= _BYTE_MEAN
    return type(layer).__name__ == "Rescaling" and float(np.max(np.abs(layer.scale))) <= 1 / _BYTE_SCALE


def _unwrapped(call: Call) -> Any:
    return call.layer.layer if call.kind == "TimeDistributed" else call.layer


def _has_one_path(model: Any) -> bool:
    return len(model.inputs) == len(model.outputs) == 1


def _magnitudes(arguments: list[Any]) -> tuple[float, float]:
    """Return the least and greatest magnitude of the numbers in a call's arguments, or zeros."""
    numbers = [np.abs(np.asarray(each, np.float64)) for each in arguments if _is_numeric(each)]
    if not numbers:
        return 0.0, 0.0
    return min(float(each.min()) for each in numbers), max(float(each.max()) for each in numbers)


def _is_numeric(value: Any) -> bool:
    if value is None or isinstance(value, (bool, str, dict)):
        return False
    return np.asarray(value).dtype.kind in "fiu" and np.size(value) > 0
