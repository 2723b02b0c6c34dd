"""Layers of three spatial axes whose first one is time: with an extent of 1 along it they see one frame, and run as their flat twins.

The converter has no builtin for three-dimensional max pooling ("'tf.MaxPool3D' op is neither a custom op nor a flex op").
"""

from __future__ import annotations

from typing import Any

from convert.heads.weights import constant

_POOLS = ("MaxPooling3D", "AveragePooling3D")
KINDS = (*_POOLS, "Conv3D")


def is_volumetric(layer: Any) -> bool:
    """Tell whether a layer is a three-dimensional convolution or pooling.

    Args:
        layer: Any Keras layer.

    Returns:
        Whether it is one of `KINDS`.
    """
    return type(layer).__name__ in KINDS


def is_flat_in_time(layer: Any) -> bool:
    """Tell whether a volumetric layer looks at one frame at a time.

    Args:
        layer: One of `KINDS`.

    Returns:
        Whether its extent and stride along time are 1.
    """
    extent = layer.pool_size if type(layer).__name__ in _POOLS else layer.kernel_size
    return extent[0] == 1 and layer.strides[0] == 1 and layer.data_format == "channels_last" and getattr(layer, "groups", 1) == 1


def apply_flat(layer: Any, window: Any) -> Any:
    """Run the layer's flat twin on every frame.

    Args:
        layer: One of `KINDS` that `is_flat_in_time`.
        window: (1, T, H, W, C).

    Returns:
        (1, T, H', W', C').
    """
    import tensorflow as tf

    frames = tf.reshape(window, window.shape[1:])
    result = _pool(layer, frames) if type(layer).__name__ in _POOLS else _convolve(layer, frames)
    return tf.reshape(result, (1, *result.shape))


def _pool(layer: Any, frames: Any) -> Any:
    import tensorflow as tf

    pool = tf.nn.max_pool2d if type(layer).__name__ == "MaxPooling3D" else tf.nn.avg_pool2d
    return pool(frames, ksize=tuple(layer.pool_size[1:]), strides=tuple(layer.strides[1:]), padding=layer.padding.upper())


def _convolve(layer: Any, frames: Any) -> Any:
    import tensorflow as tf

    kernel = constant(layer.kernel)[0]
    result = tf.nn.conv2d(frames, kernel, strides=tuple(layer.strides[1:]), padding=layer.padding.upper(), dilations=tuple(layer.dilation_rate[1:]))
    result = result + constant(layer.bias) if layer.use_bias else result
    return layer.activation(result)
