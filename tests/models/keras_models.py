"""Small Keras models of each kind that the converter knows, with seeded weights.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from typing import Any

FRAMES = 6
FRAME = (16, 16, 3)
CLASSES = 3
HEADS = (
    "lstm",
    "lstm_stack",
    "gru",
    "gru_reset_before",
    "simple_rnn",
    "bilstm",
    "bigru_sum",
    "pooling",
    "flatten",
    "conv1d",
    "attention",
)
CAUSAL = ("lstm", "lstm_stack", "gru", "gru_reset_before", "simple_rnn")


def cnn_rnn(head: str, *, framework: str = "keras", frames: int = FRAMES, motion: bool = False) -> Any:
    """A CNN over frames and a head over time.

    Args:
        head: One of `HEADS`.
        framework: "keras" or "tf_keras".
        frames: Length of the window.
        motion: Begin with differences of frames.
    """
    keras = _framework(framework)
    layers = keras.layers
    keras.utils.set_random_seed(3)
    inputs = keras.Input((frames, *FRAME))
    x = inputs
    if motion:
        from convert.frameworks.frame_difference import FrameDifference

        x = FrameDifference()(x)
    x = layers.TimeDistributed(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"))(x)
    x = layers.TimeDistributed(layers.BatchNormalization())(x)
    x = layers.TimeDistributed(layers.MaxPooling2D(2))(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = layers.Dropout(0.3)(x)
    x = _head(keras, head, x)
    model = keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))
    return _liven(model)


def convlstm(*, framework: str = "keras", frames: int = 4) -> Any:
    """ConvLSTM2D with pooling of each frame between: recurrence inside the CNN."""
    keras = _framework(framework)
    layers = keras.layers
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((frames, *FRAME)),
            layers.ConvLSTM2D(3, 3, activation="tanh", return_sequences=True),
            layers.MaxPooling3D((1, 2, 2), padding="same"),
            layers.TimeDistributed(layers.Dropout(0.2)),
            layers.ConvLSTM2D(2, 3, padding="same", return_sequences=False),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    return _liven(model)


def over_features(head: str, *, framework: str = "keras", frames: int = FRAMES, features: int = 10) -> Any:
    """A head straight over feature vectors."""
    keras = _framework(framework)
    keras.utils.set_random_seed(3)
    inputs = keras.Input((frames, features))
    return _liven(keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(_head(keras, head, inputs))))


def _framework(name: str) -> Any:
    if name == "keras":
        import keras

        return keras
    import tf_keras

    return tf_keras


def _head(keras: Any, head: str, x: Any) -> Any:
    layers = keras.layers
    heads = {
        "lstm": lambda: layers.LSTM(5)(x),
        "lstm_stack": lambda: layers.LSTM(4)(
            layers.Dropout(0.1)(layers.LSTM(5, return_sequences=True, use_bias=False)(x))
        ),
        "gru": lambda: layers.GRU(5)(x),
        "gru_reset_before": lambda: layers.GRU(5, reset_after=False)(x),
        "simple_rnn": lambda: layers.SimpleRNN(5)(x),
        "bilstm": lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x),
        "bigru_sum": lambda: layers.Bidirectional(layers.GRU(4), merge_mode="sum")(x),
        "pooling": lambda: layers.GlobalAveragePooling1D()(layers.Dense(5, activation="relu")(x)),
        "flatten": lambda: layers.Flatten()(x),
        "conv1d": lambda: layers.GlobalMaxPooling1D()(
            layers.Conv1D(5, 3, dilation_rate=2, padding="causal", activation="relu")(x)
        ),
        "attention": lambda: layers.GlobalAveragePooling1D()(
            layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(x, x) + x)
        ),
    }
    result = heads[head]()
    return layers.Flatten()(result) if len(result.shape) == 3 else result


def _liven(model: Any) -> Any:
    """Give biases and normalisation statistics values, so that leaving one out shows."""
    import numpy as np

    rng = np.random.default_rng(5)
    model.set_weights(
        [
            weight
            + rng.uniform(0.05, 0.3, weight.shape).astype(np.float32) * (weight.ndim == 1 or weight.shape[0] == 2)
            for weight in model.get_weights()
        ]
    )
    return model
