"""A small random encoder, good enough to tell moving blocks apart by differences."""

from __future__ import annotations

from pathlib import Path

import keras

SIZE_PX, FEATURES = 32, 24


def save_encoder(path: Path, *, seed: int = 3) -> Path:
    """Write an encoder of 32x32 frames, with random weights of a seed."""
    keras.utils.set_random_seed(seed)
    # Named: Keras counts the layers without a name, so that equal networks would differ.
    frame = keras.Input((SIZE_PX, SIZE_PX, 3), name="frame")
    values = keras.layers.Conv2D(16, 5, strides=4, padding="same", activation="relu", name="first")(frame)
    values = keras.layers.Conv2D(FEATURES, 3, strides=2, padding="same", activation="relu", name="second")(values)
    keras.Model(frame, keras.layers.GlobalAveragePooling2D(name="pool")(values), name="encoder").save(path)
    return path
