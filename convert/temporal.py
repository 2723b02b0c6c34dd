"""How each layer treats time: which look at one frame at a time, and how any call is made again on a window of another length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convert.graph import Call
from convert.operators import is_by_element, is_operator
from convert.volumetric import apply_flat, is_flat_in_time, is_volumetric

# Layers that act on the last axis or element by element, wherever time is.
_POINTWISE = frozenset(
    "Activation ReLU LeakyReLU ELU ThresholdedReLU Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise GaussianDropout "
    "AlphaDropout ActivityRegularization Rescaling Dense Add Subtract Multiply Average Maximum Minimum".split()
)
# Layers that act along an axis which they name.
_BY_AXIS = frozenset(("LayerNormalization", "BatchNormalization", "Normalization", "UnitNormalization", "Concatenate", "Softmax"))
TIME_AXIS = 1


def lookback(call: Call, frames: int) -> int | None:
    """Tell how many earlier frames each output frame of a call depends on.

    Args:
        call: A call whose inputs all have time on axis 1.
        frames: Length of its input window.

    Returns:
        0 for layers that treat each frame by itself, more for those that declare it, None for those that mix the window.
    """
    layer, kind = call.layer, call.kind
    if getattr(layer, "lookback", None) is not None:
        return int(layer.lookback)
    if is_operator(call):
        return 0 if is_by_element(call) else None
    if kind == "TimeDistributed" or kind in _POINTWISE:
        return 0
    if kind == "Reshape":
        return 0 if _keeps_time(layer, frames) else None
    if kind in _BY_AXIS:
        return 0 if _acts_beside_time(layer, len(call.shape)) else None
    return 0 if is_volumetric(layer) and is_flat_in_time(layer) else None


def _keeps_time(layer: Any, frames: int) -> bool:
    target = tuple(layer.target_shape)
    return len(target) >= 2 and target[0] == frames


def _acts_beside_time(layer: Any, rank: int) -> bool:
    axis = getattr(layer, "axis", -1)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    return all(each is not None and each % rank not in (0, TIME_AXIS) for each in axes)


def repeat(call: Call, values: Mapping[int, Any], *, by_frame: bool) -> list[Any]:
    """Make a call again, on tensors whose window may be shorter than the trained one.

    Args:
        call: Any call but a recurrent one.
        values: Tensors by number, batch of 1.
        by_frame: Whether it is known to treat each frame by itself.

    Returns:
        Its outputs.
    """
    if is_operator(call):
        return _call(call, values)
    if call.kind == "TimeDistributed":
        return [_each_frame(call.layer.layer, values[call.inputs[0]])]
    if call.kind == "Reshape" and by_frame:
        return [_reshape_frames(call.layer, values[call.inputs[0]])]
    if is_volumetric(call.layer) and is_flat_in_time(call.layer):
        return [apply_flat(call.layer, values[call.inputs[0]])]
    return _call(call, values)


def _call(call: Call, values: Mapping[int, Any]) -> list[Any]:
    args, kwargs = call.arguments(values)
    result = call.layer(*args, **kwargs)
    return list(result) if isinstance(result, (list, tuple)) else [result]


def _each_frame(layer: Any, window: Any) -> Any:
    """Apply a layer to every frame by folding time into the batch."""
    import tensorflow as tf

    frames = int(window.shape[TIME_AXIS])
    result = layer(tf.reshape(window, (frames, *window.shape[2:])))
    return tf.reshape(result, (1, frames, *result.shape[1:]))


def _reshape_frames(layer: Any, window: Any) -> Any:
    import tensorflow as tf

    frames = int(window.shape[TIME_AXIS])
    size = 1
    for each in window.shape[2:]:
        size *= int(each)
    target = [int(each) for each in layer.target_shape[1:]]
    if -1 in target:
        known = 1
        for each in target:
            known *= each if each != -1 else 1
        target[target.index(-1)] = size // known
    return tf.reshape(window, (1, frames, *target))
