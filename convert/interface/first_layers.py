"""Collects what a model's first layers reveal about the axes of an input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.graph.layer_graph import Call, ModelGraph
from convert.graph.operators import constants, is_operator, name

Sizes = tuple[int | None, ...]
# Layers that accept frames and feature rows alike, so that the layer behind them shows which of the
# two an input is.
_TRANSPARENT = frozenset(
    "Rescaling Normalization BatchNormalization Dropout GaussianNoise "
    "Activation ActivityRegularization Identity".split()
)
_TRANSPOSITIONS = ("transpose", "permute_dimensions")


@dataclass(frozen=True)
class Move:
    """A layer or operator that permutes or regroups the axes of an input.

    Attributes:
        shape: Shape of its output without the batch.
        order: Place before the call of each axis after it; None where the call reshapes.
    """

    shape: Sizes
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class FirstLayers:
    """What the first layers reveal about an input.

    Attributes:
        kind: Class of the first layer that reveals the input's kind, such as "Conv2D"; "" for none.
        channels_first: Whether that layer takes channels before pixels.
        moves: The calls before it that move axes, in order.
        kernels: Kernel, pool and stride sizes of the model's 3-D layers, without uniform ones.
    """

    kind: str
    channels_first: bool = False
    moves: tuple[Move, ...] = ()
    kernels: tuple[tuple[int, int, int], ...] = ()


def first_layers(graph: ModelGraph, place: int) -> FirstLayers:
    """Follow an input to the first layer that reveals its kind.

    Args:
        graph: The model.
        place: Place of the input among the model's inputs.
    """
    tensor, shape = graph.inputs[place], graph.input_shapes[place]
    moves: list[Move] = []
    kernels = _kernels(graph.calls)
    while True:
        readers = [call for call in graph.calls if tensor in call.inputs]
        if not readers:
            return FirstLayers("", moves=tuple(moves), kernels=kernels)
        call = readers[0]
        move = _move(call, shape)
        if len(readers) > 1 or not (is_operator(call) or call.kind in _TRANSPARENT or move):
            return FirstLayers(call.kind, _is_channels_first(call.layer), tuple(moves), kernels)
        if move is None and len(call.shape) - 1 != len(shape):
            # An operator that adds or removes axes in a way of its own.
            return FirstLayers("", moves=tuple(moves), kernels=kernels)
        moves += [move] if move else []
        tensor, shape = call.outputs[0], tuple(call.shape[1:])


def _move(call: Call, before: Sizes) -> Move | None:
    """Return how a call moves the axes of its input; None if it keeps them."""
    after = tuple(call.shape[1:])
    if not is_operator(call) and call.kind == "Permute":
        return Move(after, tuple(int(axis) - 1 for axis in call.layer.dims))
    if is_operator(call) and name(call) in _TRANSPOSITIONS:
        order = _transposition(call)
        return Move(after, order) if order else None
    reshapes = is_operator(call) or _is_reshape(call.layer)
    if not reshapes or None in after or None in before or after == before:
        return None
    sizes = [[int(size) for size in shape if size is not None] for shape in (before, after)]
    return Move(after) if math.prod(sizes[0]) == math.prod(sizes[1]) else None


def _is_reshape(layer: Any) -> bool:
    return type(getattr(layer, "layer", layer)).__name__ == "Reshape"


def _transposition(call: Call) -> tuple[int, ...] | None:
    stated = [*constants(call), getattr(call.layer, "axes", None)]
    orders = [tuple(np.ravel(each).tolist()) for each in stated if isinstance(each, (tuple, list, np.ndarray))]
    fitting = [order for order in orders if sorted(order) == list(range(len(call.shape))) and order[0] == 0]
    return tuple(int(axis) - 1 for axis in fitting[0][1:]) if fitting else None


def _is_channels_first(layer: Any) -> bool:
    # A wrapper such as TimeDistributed has no data_format of its own.
    return getattr(getattr(layer, "layer", layer), "data_format", None) == "channels_first"


def _kernels(calls: Sequence[Call]) -> tuple[tuple[int, int, int], ...]:
    sizes = (getattr(call.layer, part, None) for call in calls for part in ("kernel_size", "pool_size", "strides"))
    volumes = (tuple(each) for each in sizes if isinstance(each, (tuple, list)) and len(each) == 3)
    return tuple(dict.fromkeys((a, b, c) for a, b, c in volumes if not a == b == c))
