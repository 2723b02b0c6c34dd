"""How each layer treats time: which look at one frame at a time, and how any call is made again on a window of another length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.execution.conv3d import is_flat_in_time, is_volumetric
from convert.execution.runner import TIME_AXIS, make
from convert.graph.layer_graph import Call
from convert.graph.operators import is_by_element, is_opaque_layer, is_operator, takes_newest

# Layers that act on the last axis or element by element, wherever time is. Noise and augmentation do nothing outside of training.
_POINTWISE = frozenset(
    "Activation ReLU LeakyReLU ELU ThresholdedReLU Identity Masking Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise "
    "GaussianDropout AlphaDropout ActivityRegularization Rescaling Dense Add Subtract Multiply Average Maximum Minimum".split()
)
# Layers that act along an axis which they name.
_BY_AXIS = frozenset(
    ("LayerNormalization", "BatchNormalization", "Normalization", "UnitNormalization", "Concatenate", "Softmax")
)
# Axes of a layer's usual input. Given more, tf_keras takes the first ones together as the batch.
_USUAL_RANK = {"Conv1D": 3, "Conv2D": 4}
_TRIAL_TOLERANCE = 1e-5


def lookback(call: Call, frames: int, shape: Sequence[int | None] = ()) -> int | None:
    """Tell how many earlier frames each output frame of a call depends on.

    Args:
        call: A call whose inputs all have time on axis 1.
        frames: Length of its input window.
        shape: Of its only input, with the batch; needed for layers that can only be known by trying them.

    Returns:
        0 for layers that treat each frame by itself, more for those that declare it, None for those that mix the window.
    """
    layer, kind = call.layer, call.kind
    if getattr(layer, "lookback", None) is not None:
        return int(layer.lookback)
    if is_operator(call):
        return 0 if is_by_element(call) or _keeps_frames_apart(call, frames, shape) else None
    if kind == "TimeDistributed" or kind in _POINTWISE or kind.startswith("Random"):
        return 0
    known = _LOOKS.get(kind)
    if known is not None:
        return 0 if known(call, frames, shape) else None
    if is_volumetric(layer):
        return 0 if is_flat_in_time(layer) else None
    return 0 if is_opaque_layer(layer) and _keeps_frames_apart(call, frames, shape) else None


def _keeps_time(call: Call, frames: int, shape: Sequence[int | None]) -> bool:
    target = [int(size) for size in call.layer.target_shape]
    if len(target) < 2 or target[0] not in (frames, -1) or -1 in target[1:]:
        return len(target) >= 2 and target[0] == frames
    return target[0] == frames or math.prod(target[1:]) == math.prod(size or 1 for size in shape[2:])


def _acts_beside_time(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    axis, rank = getattr(call.layer, "axis", -1), len(call.shape)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    return all(each is not None and each % rank not in (0, TIME_AXIS) for each in axes)


def _keeps_first_axis(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    return call.layer.dims[0] == TIME_AXIS


def _sees_one(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    """Whether a convolution has time in its batch, or an extent of one frame along it."""
    layer = call.layer
    within_batch = len(call.shape) > _USUAL_RANK[call.kind]
    return within_batch or (call.kind == "Conv1D" and tuple(layer.kernel_size) == (1,) and tuple(layer.strides) == (1,))


def _shares_time(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    return TIME_AXIS in (call.layer.shared_axes or ())


_LOOKS = {
    "Reshape": _keeps_time,
    "Permute": _keeps_first_axis,
    "PReLU": _shares_time,
    "Conv1D": _sees_one,
    "Conv2D": _sees_one,
    **dict.fromkeys(_BY_AXIS, _acts_beside_time),
}


def _keeps_frames_apart(call: Call, frames: int, shape: Sequence[int | None]) -> bool:
    """Try a call on noise: whether each frame by itself gives what it gives within the window. The proof on real clips holds it to that."""
    sizes = [size for size in shape[2:] if size is not None]
    if len(call.inputs) != 1 or len(call.outputs) != 1 or len(sizes) != len(shape) - 2 or len(shape) < 3:
        return False
    window = np.random.default_rng(0).normal(size=(1, frames, *sizes)).astype(np.float32)
    try:
        whole = _tried(call, window)
        alone = [_tried(call, window[:, at : at + 1]) for at in range(frames)]
    except Exception:  # noqa: BLE001  # a layer may be anyone's; one that does not take a single frame does not keep frames apart
        return False
    if whole.ndim < 3 or whole.shape[1] != frames or any(each.shape != (1, 1, *whole.shape[2:]) for each in alone):
        return False
    return bool(
        np.allclose(np.concatenate(alone, axis=1), whole, atol=_TRIAL_TOLERANCE * max(1.0, float(np.abs(whole).max())))
    )


def sees_newest_only(call: Call) -> bool:
    """Tell whether a call takes the newest frame out of a window.

    Args:
        call: A call on a window.

    Returns:
        Whether it does, as `x[:, -1]` in either framework.
    """
    return getattr(call.layer, "newest_only", False) or (is_operator(call) and takes_newest(call))


def _tried(call: Call, window: Any) -> Any:
    import tensorflow as tf

    with tf.init_scope():
        (result,) = make(call, {call.inputs[0]: tf.constant(window)})
        return np.asarray(result)
