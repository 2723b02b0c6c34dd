"""How each layer treats time: which look at one frame at a time, and how any call is made again on a window of another length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from convert.graph import Call
from convert.masks import mask_of, with_mask
from convert.operators import is_by_element, is_operator, takes_newest
from convert.volumetric import apply_flat, is_flat_in_time, is_volumetric

# Layers that act on the last axis or element by element, wherever time is. Noise and augmentation do nothing outside of training.
_POINTWISE = frozenset(
    "Activation ReLU LeakyReLU ELU ThresholdedReLU Identity Masking Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise "
    "GaussianDropout AlphaDropout ActivityRegularization Rescaling Dense Add Subtract Multiply Average Maximum Minimum".split()
)
# Layers that act along an axis which they name.
_BY_AXIS = frozenset(("LayerNormalization", "BatchNormalization", "Normalization", "UnitNormalization", "Concatenate", "Softmax"))
# Axes of a layer's usual input. Given more, tf_keras takes the first ones together as the batch.
_USUAL_RANK = {"Conv1D": 3, "Conv2D": 4}
TIME_AXIS = 1
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
    return 0 if _is_strange(layer) and _keeps_frames_apart(call, frames, shape) else None


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


def is_strange(call: Call) -> bool:
    """Tell whether what a call does to its axes cannot be told from its name.

    Args:
        call: Any call.

    Returns:
        Whether it is an operator, anyone's class, or code in a file that was allowed.
    """
    return is_operator(call) or _is_strange(call.layer)


def _is_strange(layer: Any) -> bool:
    return type(layer).__name__ in ("Lambda", "EinsumDense") or type(layer).__module__.partition(".")[0] not in ("keras", "tf_keras")


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
    return bool(np.allclose(np.concatenate(alone, axis=1), whole, atol=_TRIAL_TOLERANCE * max(1.0, float(np.abs(whole).max()))))


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


def repeat(call: Call, values: Mapping[int, Any], *, by_frame: bool) -> list[Any]:
    """Make a call again, on tensors whose window may be shorter than the trained one.

    Args:
        call: Any call but a recurrent one.
        values: Tensors by number, with a static batch.
        by_frame: Whether it is known to treat each frame by itself.

    Returns:
        Its outputs.
    """
    if is_operator(call):
        return make(call, values)
    window = values[call.inputs[0]]
    if call.kind == "TimeDistributed":
        return [with_mask(_each_frame(call.layer.layer, window), mask_of(window))]
    if call.kind == "Reshape" and by_frame:
        return [with_mask(_reshape_frames(call.layer, window), mask_of(window))]
    if is_volumetric(call.layer):
        return [apply_flat(call.layer, window)]
    return make(call, values)


def make(call: Call, values: Mapping[int, Any]) -> list[Any]:
    """Make a call as the model makes it.

    Args:
        call: Any call.
        values: Tensors by number.

    Returns:
        Its outputs.
    """
    from convert.inner import unrolled

    args, kwargs = call.arguments(values)
    with unrolled(call.layer):
        result = call.layer(*args, **in_inference(call.layer, kwargs))
    return list(result) if isinstance(result, (list, tuple)) else [result]


def in_inference(layer: Any, kwargs: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Say that nobody is training: layers that flip, rotate or crop at random do so where they are called alone and nothing is said.

    Args:
        layer: Any layer or operator.
        kwargs: What the model gives it; its own word on training stands.

    Returns:
        What to give it.
    """
    asks = getattr(layer, "_call_has_training_arg", False) or getattr(layer, "_expects_training_arg", False)
    return {**kwargs, "training": False} if asks and kwargs.get("training") is None else dict(kwargs)


def _each_frame(layer: Any, window: Any) -> Any:
    """Apply a layer to every frame by folding time into the batch."""
    import tensorflow as tf

    from convert.runner import apply

    batch, frames = int(window.shape[0]), int(window.shape[TIME_AXIS])
    result = apply(layer, tf.reshape(window, (batch * frames, *window.shape[2:])))
    return tf.reshape(result, (batch, frames, *result.shape[1:]))


def _reshape_frames(layer: Any, window: Any) -> Any:
    import tensorflow as tf

    batch, frames = int(window.shape[0]), int(window.shape[TIME_AXIS])
    size = math.prod(int(each) for each in window.shape[2:])
    target = [int(each) for each in layer.target_shape[1:]]
    if -1 in target:
        target[target.index(-1)] = size // math.prod(each for each in target if each != -1)
    return tf.reshape(window, (batch, frames, *target))
