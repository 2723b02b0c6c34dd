"""Run three-dimensional convolutions and poolings over (T, H, W) with two-dimensional operators.

The converter has no builtin for three-dimensional max pooling ("'tf.MaxPool3D' op is neither a custom op nor a flex
op"), and only a float one for convolution. A convolution over k frames equals a two-dimensional one over k times the
channels. A pooling separates into one over each frame and one over frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.heads.weights import constant

_POOLS = ("MaxPooling3D", "AveragePooling3D")
KINDS = (*_POOLS, "Conv3D")


def is_volumetric(layer: Any) -> bool:
    """Return whether a layer is one of `KINDS`, which `apply_flat` runs."""
    return type(layer).__name__ in KINDS


def is_flat_in_time(layer: Any) -> bool:
    """Return whether a volumetric layer sees one frame at a time, with time right after the batch."""
    return layer.data_format == "channels_last" and _extent(layer)[0] == 1 and layer.strides[0] == 1


def apply_flat(layer: Any, window: Any) -> Any:
    """Run a volumetric layer with two-dimensional operators.

    Args:
        layer: A layer that `is_volumetric` accepts.
        window: (B, T, H, W, C), or (B, C, T, H, W) for a layer with channels first.

    Returns:
        (B, T', H', W', C'), or with C' after the batch.
    """
    import tensorflow as tf

    if layer.data_format == "channels_first":
        return tf.transpose(_run_batch(layer, tf.transpose(window, (0, 2, 3, 4, 1))), (0, 4, 1, 2, 3))
    return _run_batch(layer, window)


def _run_batch(layer: Any, window: Any) -> Any:
    import tensorflow as tf

    # Clip by clip: a batch of more than one only occurs inside TimeDistributed.
    results = [_run_clip(layer, clip) for clip in tf.unstack(window, axis=0)]
    return results[0][None] if len(results) == 1 else tf.stack(results)


def _run_clip(layer: Any, clip: Any) -> Any:
    taps = _taps(layer, int(clip.shape[0]))
    kind = type(layer).__name__
    if kind == "Conv3D":
        return _convolve(layer, clip, taps)
    return _pool_max(layer, clip, taps) if kind == "MaxPooling3D" else _pool_average(layer, clip, taps)


@dataclass(frozen=True)
class _Taps:
    """The frames that each output frame sees.

    Attributes:
        count: Output frames.
        before, after: Frames of padding.
        extent, stride, dilation: Along time, in frames.
    """

    count: int
    before: int
    after: int
    extent: int
    stride: int
    dilation: int

    @property
    def padding(self) -> int:
        """Frames of padding, before and after together."""
        return self.before + self.after

    def views(self, padded: Any) -> list[Any]:
        """Return the frames that each tap sees, one tensor (count, ...) per tap."""
        last = (self.count - 1) * self.stride + 1
        return [padded[tap * self.dilation : tap * self.dilation + last : self.stride] for tap in range(self.extent)]


def _extent(layer: Any) -> tuple[int, ...]:
    return tuple(layer.pool_size if type(layer).__name__ in _POOLS else layer.kernel_size)


def _taps(layer: Any, frames: int) -> _Taps:
    """Apply TensorFlow's rule for "SAME" and "VALID" along time.

    Source: `tf.nn.convolution`.
    """
    extent, stride = _extent(layer)[0], int(layer.strides[0])
    dilation = 1 if type(layer).__name__ in _POOLS else int(layer.dilation_rate[0])
    span = (extent - 1) * dilation + 1
    if layer.padding == "valid":
        return _Taps((frames - span) // stride + 1, 0, 0, extent, stride, dilation)
    count = math.ceil(frames / stride)
    missing = max((count - 1) * stride + span - frames, 0)
    return _Taps(count, missing // 2, missing - missing // 2, extent, stride, dilation)


def _convolve(layer: Any, clip: Any, taps: _Taps) -> Any:
    import tensorflow as tf

    kernel = _in_one_group(constant(layer.kernel), int(layer.groups))
    extent, height, width, channels, filters = (int(size) for size in kernel.shape)
    # Stack the taps as channels: one accumulator then sums all products, as in the trained layer.
    flat = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3, 4)), (height, width, extent * channels, filters))
    views = taps.views(_padded_with_zeros(clip, taps))
    stacked = views[0] if extent == 1 else tf.concat(views, axis=-1)
    result = tf.nn.conv2d(
        stacked,
        flat,
        strides=tuple(layer.strides[1:]),
        padding=layer.padding.upper(),
        dilations=tuple(layer.dilation_rate[1:]),
    )
    result = result + constant(layer.bias) if layer.use_bias else result
    return layer.activation(result)


def _in_one_group(kernel: Any, groups: int) -> Any:
    """Return the kernel (T, H, W, C, filters) of an equal convolution with one group.

    Every filter gets all channels; the weights for the channels of other groups are zero and change no sum.
    """
    import tensorflow as tf

    if groups == 1:
        return kernel
    # The converter rejects grouped convolutions of three axes. Two-dimensional ones run outside XNNPACK:
    # in int8 they took 4 to 29 times as long as this (x86, 4 to 64 groups). In float this is the slower
    # way, by up to 4 times.
    channels, parts = int(kernel.shape[3]), tf.split(kernel, groups, axis=4)
    placed = [
        tf.pad(part, ((0, 0),) * 3 + ((group * channels, (groups - 1 - group) * channels), (0, 0)))
        for group, part in enumerate(parts)
    ]
    return tf.concat(placed, axis=4)


def _pool_max(layer: Any, clip: Any, taps: _Taps) -> Any:
    import tensorflow as tf

    padded = frames = tf.nn.max_pool2d(
        clip, ksize=tuple(layer.pool_size[1:]), strides=tuple(layer.strides[1:]), padding=layer.padding.upper()
    )
    if taps.padding:
        # Pad with the first and last frame: the pooling window holds them already, so its maximum stays.
        padded = tf.concat([*[frames[:1]] * taps.before, frames, *[frames[-1:]] * taps.after], axis=0)
    result, *others = taps.views(padded)
    for view in others:
        result = tf.maximum(result, view)
    return result


def _pool_average(layer: Any, clip: Any, taps: _Taps) -> Any:
    import tensorflow as tf

    frames = tf.nn.avg_pool2d(
        clip, ksize=tuple(layer.pool_size[1:]), strides=tuple(layer.strides[1:]), padding=layer.padding.upper()
    )
    if taps.extent == 1:
        return taps.views(frames)[0]
    # Keras leaves padding out of the average, in space (avg_pool2d) and in time (these counts).
    seen = np.concatenate([np.zeros(taps.before), np.ones(int(clip.shape[0])), np.zeros(taps.after)])
    counts = np.sum(taps.views(seen), axis=0).reshape(-1, 1, 1, 1)
    return tf.add_n(taps.views(_padded_with_zeros(frames, taps))) * tf.constant(1.0 / counts, tf.float32)


def _padded_with_zeros(frames: Any, taps: _Taps) -> Any:
    import tensorflow as tf

    return tf.pad(frames, ((taps.before, taps.after), (0, 0), (0, 0), (0, 0))) if taps.padding else frames
