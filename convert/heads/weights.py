"""Weights as constants: a converted part must hold them, and TensorFlow's freezing can leave them out."""

from __future__ import annotations

from typing import Any

import numpy as np


def constant(variable: Any) -> Any:
    """Give a variable's value as a TensorFlow constant.

    Args:
        variable: A variable of Keras 3 or tf_keras.

    Returns:
        A float32 tensor.
    """
    import tensorflow as tf

    return tf.constant(numbers(variable), tf.float32)


def numbers(variable: Any) -> Any:
    """Give a variable's value.

    Args:
        variable: A variable of Keras 3 or tf_keras, or an array.

    Returns:
        An array.
    """
    import tensorflow as tf

    # A part may be in the middle of being traced, where a variable has no value.
    with tf.init_scope():
        return np.asarray(variable)
