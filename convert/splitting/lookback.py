"""How many earlier frames a call depends on: known by the layer's class, declared by the layer, or found on noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.execution.conv3d import is_flat_in_time, is_volumetric
from convert.execution.runner import TIME_AXIS, run_call
from convert.graph.layer_graph import Call
from convert.graph.operators import fixed_tensors, is_by_element, is_opaque_layer, is_operator, takes_newest

# Layers that act on the last axis or element by element, wherever time is. Noise and augmentation do nothing
# outside training.
_POINTWISE = frozenset(
    "Activation ReLU LeakyReLU ELU ThresholdedReLU Identity Masking Dropout SpatialDropout1D SpatialDropout2D "
    "SpatialDropout3D GaussianNoise GaussianDropout AlphaDropout ActivityRegularization Rescaling Dense Add Subtract "
    "Multiply Average Maximum Minimum".split()
)
# Layers that act along the axes in their `axis`.
_BY_AXIS = frozenset(
    ("LayerNormalization", "BatchNormalization", "Normalization", "UnitNormalization", "Concatenate", "Softmax")
)
# Axes of a layer's usual input. Given more, tf_keras folds the first ones into the batch.
_USUAL_RANK = {"Conv1D": 3, "Conv2D": 4}
_TRIAL_TOLERANCE = 1e-5


def lookback(call: Call, frames: int, shape: Sequence[int | None] = ()) -> int | None:
    """Return how many earlier frames each output frame of a call depends on.

    Args:
        call: A call whose inputs all have time on axis 1.
        frames: Length of its input window, T.
        shape: Shape of its only input, with the batch; required for calls that are run on noise.

    Returns:
        0 for a call that treats each frame by itself, more for a layer that declares it, None for a call that
        mixes the window.
    """
    if getattr(call.layer, "lookback", None) is not None:
        return int(call.layer.lookback)
    if is_operator(call):
        return 0 if is_by_element(call) or _keeps_frames_apart(call, frames, shape) else None
    # A fixed mask has an entry for each frame of the window.
    return None if fixed_tensors(call) else _lookback_of_layer(call, frames, shape)


def _lookback_of_layer(call: Call, frames: int, shape: Sequence[int | None]) -> int | None:
    layer, kind = call.layer, call.kind
    if kind == "TimeDistributed" or kind in _POINTWISE or kind.startswith("Random"):
        return 0
    rule = _RULES.get(kind)
    if rule is not None:
        return 0 if rule(call, frames, shape) else None
    if is_volumetric(layer):
        return 0 if is_flat_in_time(layer) else None
    # Keras's other layers are known to mix the window: only run custom ones on noise.
    return 0 if is_opaque_layer(layer) and _keeps_frames_apart(call, frames, shape) else None


def _reshapes_frames(call: Call, frames: int, shape: Sequence[int | None]) -> bool:
    target = [int(size) for size in call.layer.target_shape]
    if len(target) < 2 or target[0] not in (frames, -1) or -1 in target[1:]:
        return len(target) >= 2 and target[0] == frames
    # An open first axis is time only if the others hold exactly one frame.
    return target[0] == frames or math.prod(target[1:]) == math.prod(size or 1 for size in shape[2:])


def _acts_off_time(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    axis, rank = getattr(call.layer, "axis", -1), len(call.shape)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    return all(each is not None and each % rank not in (0, TIME_AXIS) for each in axes)


def _keeps_time_first(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    return call.layer.dims[0] == TIME_AXIS


def _convolves_frames(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    """Return whether a convolution has time in its batch, or sees one frame at a time."""
    layer = call.layer
    is_in_batch = len(call.shape) > _USUAL_RANK[call.kind]
    return is_in_batch or (call.kind == "Conv1D" and tuple(layer.kernel_size) == (1,) and tuple(layer.strides) == (1,))


def _shares_slopes_over_time(call: Call, _frames: int, _shape: Sequence[int | None]) -> bool:
    return TIME_AXIS in (call.layer.shared_axes or ())


# By class: whether a call treats each frame by itself.
_RULES = {
    "Reshape": _reshapes_frames,
    "Permute": _keeps_time_first,
    "PReLU": _shares_slopes_over_time,
    "Conv1D": _convolves_frames,
    "Conv2D": _convolves_frames,
    **dict.fromkeys(_BY_AXIS, _acts_off_time),
}


def _keeps_frames_apart(call: Call, frames: int, shape: Sequence[int | None]) -> bool:
    """Run a call on noise; return whether each frame alone has the result that it has within the window.

    Noise can miss a dependence; the proof on real clips does not.
    """
    sizes = [size for size in shape[2:] if size is not None]
    if len(call.inputs) != 1 or len(call.outputs) != 1 or len(sizes) != len(shape) - 2 or len(shape) < 3:
        return False
    window = np.random.default_rng(0).normal(size=(1, frames, *sizes)).astype(np.float32)
    try:
        whole = _run_eagerly(call, window)
        alone = [_run_eagerly(call, window[:, at : at + 1]) for at in range(frames)]
    except Exception:  # noqa: BLE001  # a custom layer may raise anything; one that rejects a single frame mixes frames
        return False
    if whole.ndim < 3 or whole.shape[1] != frames or any(each.shape != (1, 1, *whole.shape[2:]) for each in alone):
        return False
    tolerance = _TRIAL_TOLERANCE * max(1.0, float(np.abs(whole).max()))
    return bool(np.allclose(np.concatenate(alone, axis=1), whole, atol=tolerance))


def sees_newest_only(call: Call) -> bool:
    """Return whether a call takes the newest frame out of a window, as `x[:, -1]` does.

    Args:
        call: A call on a window.
    """
    return getattr(call.layer, "newest_only", False) or (is_operator(call) and takes_newest(call))


def _run_eagerly(call: Call, window: Any) -> Any:
    import tensorflow as tf

    # The splitter may be tracing a part.
    with tf.init_scope():
        (result,) = run_call(call, {call.inputs[0]: tf.constant(window)})
        return np.asarray(result)
