"""What each kind of Keras layer does with the channels of its input, channels last."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convert.pruning.channels import FIXED, LayerChannels, Product, Visit
from edgevid.errors import ModelError
from edgevid.frames import Array

# Each number of their output depends on one number, or on numbers of one channel.
_CARRIERS = frozenset(
    "Activation ReLU LeakyReLU ELU Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout Rescaling "
    "Identity ActivityRegularization ZeroPadding2D Cropping2D UpSampling2D MaxPooling2D AveragePooling2D "
    "GlobalMaxPooling2D GlobalAveragePooling2D MaxPooling1D AveragePooling1D GlobalMaxPooling1D "
    "GlobalAveragePooling1D RandomFlip RandomRotation RandomZoom RandomTranslation "
    "RandomBrightness RandomContrast".split()
)
_SUMS = frozenset(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"))
MAKERS = frozenset(("Conv2D", "Dense", "SeparableConv2D"))
"""Layers whose channels may be removed."""
_CELLS = frozenset(("LSTM", "GRU", "SimpleRNN"))
# Activations over all channels at once: without some of them, the others change.
_JOINT = frozenset(("softmax", "log_softmax", "sparsemax"))


Rule = Callable[[Visit], LayerChannels]
"""From a call of a layer to what it does with channels."""


def rule_of(layer: Any) -> Rule | None:
    """Return the rule of a layer; None if none is known."""
    kind = type(layer).__name__
    if str(getattr(layer, "data_format", None) or "channels_last") != "channels_last":
        return None
    if kind in _CARRIERS or kind == "Flatten":
        return None if _activation(layer) in _JOINT else _RULES.get(kind, carry)
    return sums if kind in _SUMS else _RULES.get(kind)


def carry(visit: Visit) -> LayerChannels:
    """Pass channels on unchanged."""
    return LayerChannels(visit.layer, None, visit.before, ())


def sums(visit: Visit) -> LayerChannels:
    """Tie the channels that are added; one channel that is added to all stays."""
    first, *others = sorted((each.known for each in visit.inputs), key=len, reverse=True)
    for other in others:
        if len(other) == len(first):
            visit.found.tie(first, other)
        else:
            visit.found.pin(other)
    return LayerChannels(visit.layer, None, first, ())


def concatenate(visit: Visit) -> LayerChannels:
    """Concatenate channels."""
    if visit.layer.axis not in (-1, len(visit.shape) - 1):
        raise _unknown(visit.layer, f"along axis {visit.layer.axis}")
    return LayerChannels(visit.layer, None, np.concatenate([each.known for each in visit.inputs]), ())


def reshape(visit: Visit) -> LayerChannels:
    """Repeat channels for each position that is flattened into the last axis."""
    before = visit.inputs[0]
    sizes = [int(each or 0) for each in before.shape[1:]]
    if 0 in sizes or not visit.shape[-1]:
        raise _unknown(visit.layer, f"of shape {before.shape}")
    rows = np.broadcast_to(before.known, sizes).reshape(-1, int(visit.shape[-1]))
    if not (rows == rows[0]).all():
        raise _unknown(visit.layer, f"from {before.shape} to {visit.shape}, which spreads channels over positions")
    return LayerChannels(visit.layer, None, rows[0], ())


def normalise(visit: Visit) -> LayerChannels:
    """Scale each channel: every weight has one number for each."""
    axis = visit.layer.axis[0] if isinstance(visit.layer.axis, (list, tuple)) else visit.layer.axis
    if axis not in (-1, len(visit.shape) - 1):
        raise _unknown(visit.layer, f"along axis {axis}")
    numbers = visit.before
    return LayerChannels(visit.layer, None, numbers, tuple({0: numbers} for _ in visit.layer.weights))


def depthwise(visit: Visit) -> LayerChannels:
    """Convolve each channel by itself."""
    numbers = visit.before
    output = np.repeat(numbers, visit.layer.depth_multiplier)
    cost = (
        (Product(_positions(visit.shape) * math.prod(visit.layer.kernel_size), (output,)),) if visit.is_inside else ()
    )
    slices: tuple[Mapping[int, Array], ...] = ({2: numbers}, {0: output})
    return LayerChannels(visit.layer, None, output, slices[: len(visit.layer.weights)], (), cost)


def convolve(visit: Visit) -> LayerChannels:
    """Read all channels and make new ones."""
    layer = visit.layer
    if layer.groups != 1:
        raise _unknown(layer, f"of {layer.groups} groups")
    before, after = visit.before, _made(visit, int(layer.filters))
    cost = Product(_positions(visit.shape) * math.prod(layer.kernel_size), (before, after))
    return _maker(visit, after, ({2: before, 3: after}, {0: after}), (0, 2), cost)


def separable(visit: Visit) -> LayerChannels:
    """Convolve each channel by itself, then read all of them and make new ones."""
    layer, positions = visit.layer, _positions(visit.shape)
    before, after = visit.before, _made(visit, int(layer.filters))
    between = np.repeat(before, layer.depth_multiplier)
    own = Product(positions * math.prod(layer.kernel_size), (between,))
    slices: tuple[Mapping[int, Array], ...] = ({2: before}, {2: between, 3: after}, {0: after})
    return _maker(visit, after, slices, (1, 2), own, Product(positions, (between, after)))


def dense(visit: Visit) -> LayerChannels:
    """Read all numbers of a row and make new ones."""
    before, after = visit.before, _made(visit, int(visit.layer.units))
    # A row of (B, F) or (B, T, F) has one position in a frame; (B, H, W, F) has more.
    cost = Product(_positions(visit.shape) if len(visit.shape) == 4 else 1, (before, after))
    return _maker(visit, after, ({0: before, 1: after}, {0: after}), (0, 0), cost)


def recur(visit: Visit) -> LayerChannels:
    """Read all channels with the projection of a recurrent layer, whose own units stay."""
    both = type(visit.layer).__name__ == "Bidirectional"
    if both and type(visit.layer.forward_layer).__name__ not in _CELLS:
        raise _unknown(visit.layer, f"of {type(visit.layer.forward_layer).__name__}")
    before, count = visit.before, len(visit.layer.weights)
    kernels = (0, count // 2) if both else (0,)
    slices = tuple({0: before} if place in kernels else {} for place in range(count))
    gates = sum(int(visit.layer.weights[place].shape[-1]) for place in kernels)
    cost = (Product(gates, (before,)),) if visit.is_inside else ()
    return LayerChannels(visit.layer, None, _fixed(visit.shape), slices, tuple((place, 0) for place in kernels), cost)


def convolve_time(visit: Visit) -> LayerChannels:
    """Read all channels with a convolution over time, whose own channels stay."""
    if visit.layer.groups != 1:
        raise _unknown(visit.layer, f"of {visit.layer.groups} groups")
    slices: tuple[Mapping[int, Array], ...] = ({1: visit.before}, {})
    return LayerChannels(visit.layer, None, _fixed(visit.shape), slices[: len(visit.layer.weights)], ((0, 1),))


_RULES: dict[str, Rule] = {
    "Conv2D": convolve,
    "SeparableConv2D": separable,
    "Dense": dense,
    "DepthwiseConv2D": depthwise,
    "BatchNormalization": normalise,
    "Concatenate": concatenate,
    "Flatten": reshape,
    "Reshape": reshape,
    "LSTM": recur,
    "GRU": recur,
    "SimpleRNN": recur,
    "Bidirectional": recur,
    "Conv1D": convolve_time,
}


def _made(visit: Visit, count: int) -> Array:
    """Return the numbers of the channels that a layer makes; the same ones for each of its calls."""
    if not visit.is_inside or _activation(visit.layer) in _JOINT:
        return np.full(count, FIXED)
    known = visit.found.layers.get(id(visit.layer))
    return visit.found.new(count) if known is None or known.makes is None else known.makes


def _maker(
    visit: Visit,
    after: Array,
    slices: tuple[Mapping[int, Array], ...],
    reading: tuple[int, int],
    *cost: Product,
) -> LayerChannels:
    makes = None if (after == FIXED).all() else after
    # Without a bias, the last weight is missing.
    slices = slices[: len(visit.layer.weights)]
    return LayerChannels(visit.layer, makes, after, slices, (reading,), cost if visit.is_inside else ())


def _fixed(shape: tuple[int | None, ...]) -> Array:
    return np.full(int(shape[-1] or 0), FIXED)


def _positions(shape: tuple[int | None, ...]) -> int:
    """Return the positions of a picture (..., H, W, C)."""
    return math.prod(int(each or 1) for each in shape[-3:-1])


def _activation(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))


def _unknown(layer: Any, what: str) -> ModelError:
    return ModelError(
        expected="layers whose channels can be followed, with --prune",
        found=f"layer {layer.name!r} ({type(layer).__name__}) {what}",
        hint="Convert the model without --prune.",
    )
