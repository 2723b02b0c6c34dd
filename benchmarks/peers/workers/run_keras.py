"""Keras on the whole window: `model.predict` on a deque, as tutorials do, and a `tf.function` of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from frame_windows import Array, Push, pixels_to_input, whole_window


def peer(job: dict[str, Any]) -> Push:
    """Return the peer that the job names."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf_keras.models.load_model(job["files"]["model"], compile=False)
    prepare = pixels_to_input(np.float32, 1.0, 0)
    if job["kind"] == "predict":
        return whole_window(lambda window: model.predict(window, verbose=0)[0], prepare, length=job["window"])
    fixed = tf.function(lambda window: model(window, training=False), jit_compile=False)

    def run(window: Array) -> Array:
        return fixed(tf.constant(window)).numpy()[0]

    return whole_window(run, prepare, length=job["window"])
