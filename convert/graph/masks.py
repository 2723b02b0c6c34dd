"""Masks: which frames of a window a layer is told to pass over.

Both Keras versions keep a tensor's mask beside it, as an attribute that each layer reads and renews. What is done here between two layers (folding time
into the batch, handing features from the encoder to the head) has to carry it on.
"""

from __future__ import annotations

from typing import Any

from convert.frameworks import internals


def mask_of(tensor: Any) -> Any:
    """Give a tensor's mask.

    Args:
        tensor: What a layer of either framework gave.

    Returns:
        (B, T) booleans, False where a frame is to be passed over, or None.
    """
    return internals.mask_of(tensor)


def with_mask(tensor: Any, mask: Any) -> Any:
    """Put a mask beside a tensor.

    Args:
        tensor: Any TensorFlow tensor.
        mask: (B, T) booleans, or None for no mask.

    Returns:
        The tensor.
    """
    import tensorflow as tf

    if mask is None:
        return tensor
    # A tensor may be an input of the part, whose mask is not for others to see.
    tensor = tf.identity(tensor)
    tensor._keras_mask = mask
    return tensor


def as_numbers(mask: Any) -> Any:
    """Write a mask as numbers that can be quantised beside a frame's features.

    Args:
        mask: (B, T) booleans.

    Returns:
        (B, T) float32, 1 for True.
    """
    import tensorflow as tf

    return tf.where(mask, tf.ones_like(mask, tf.float32), tf.zeros_like(mask, tf.float32))


def from_numbers(numbers: Any) -> Any:
    """Read a mask that `as_numbers` wrote, even after it was quantised.

    Args:
        numbers: (B, T) float32.

    Returns:
        (B, T) booleans.
    """
    return numbers > 0.5
