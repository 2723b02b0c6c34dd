"""Weights as constants: TensorFlow's freezing can leave a variable out, and a converted part must hold them all."""

from __future__ import annotations

from typing import Any

import numpy as np


def constant(variable: Any) -> Any:
    """Return the value of a variable as a float32 constant of TensorFlow.

    Args:
        variable: A variable of Keras 3 or tf_keras, or an array.
    """
    import tensorflow as tf

    return tf.constant(numbers(variable), tf.float32)


def numbers(variable: Any) -> Any:
    """Return the value of a variable as an array.

    Args:
        variable: A variable of Keras 3 or tf_keras, or an array.
    """
    import tensorflow as tf

    # A part may be being traced, where a variable has no value: leave its graph.
    with tf.init_scope():
        return np.asarray(variable)
