"""Masks: (B, T) booleans that tell a layer which frames of a window to skip.

Both Keras versions attach a mask to a tensor, and each layer reads and renews it. Code that works between
two layers (folding time into the batch, passing features from encoder to head) has to carry it along.
"""

from __future__ import annotations

from typing import Any

from convert.frameworks import internals


def mask_of(tensor: Any) -> Any:
    """Return the mask of a layer's output.

    Returns:
        (B, T) booleans, False where a layer skips the frame; or None.
    """
    return internals.mask_of(tensor)


def with_mask(tensor: Any, mask: Any) -> Any:
    """Return a tensor with a mask attached.

    Args:
        tensor: Any TensorFlow tensor.
        mask: (B, T) booleans, or None for no mask.
    """
    import tensorflow as tf

    if mask is None:
        return tensor
    # Copy first: the tensor may be an input of the part, which other readers expect without a mask.
    tensor = tf.identity(tensor)
    internals.attach_mask(tensor, mask)
    return tensor


def as_numbers(mask: Any) -> Any:
    """Convert a mask to numbers, so that it can be quantised together with a frame's features.

    Args:
        mask: (B, T) booleans.

    Returns:
        (B, T) float32, 1 for True.
    """
    import tensorflow as tf

    return tf.where(mask, tf.ones_like(mask, tf.float32), tf.zeros_like(mask, tf.float32))


def from_numbers(numbers: Any) -> Any:
    """Convert the numbers of `as_numbers` back to a mask, even after quantisation.

    Args:
        numbers: (B, T) float32.

    Returns:
        (B, T) booleans.
    """
    return numbers > 0.5
