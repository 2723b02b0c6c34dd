"""Small models as people build them, in both frameworks. Tests over this table prove the page of supported layers.

Importing this imports no TensorFlow. Each entry says what plan the model gets and whether it has a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FRAMES, SIZE, CLASSES = 5, 16, 3
VIDEO = (FRAMES, SIZE, SIZE, 3)
FEATURES = (FRAMES, 12)
BOTH = ("keras", "tf_keras")


@dataclass(frozen=True)
class Specimen:
    """One kind of model.

    Attributes:
        row: What the page says of it.
        build: From the framework, its layers and the input tensor to what the classifier looks at.
        shape: Of the input.
        plan: What `auto` chooses.
        step: Whether it can be run one frame at a time.
        frameworks: Those that can build it.
        int8_error: How far a probability may be from the trained model's; more where noise ends in a sharp answer.
    """

    row: str
    build: Callable[[Any, Any, Any], Any]
    shape: tuple[int, ...] = VIDEO
    plan: str = "window"
    step: bool = False
    frameworks: tuple[str, ...] = BOTH
    int8_error: float = 0.1


def cnn(k: Any, layers: Any, x: Any) -> Any:
    """A small CNN over every frame."""
    x = layers.TimeDistributed(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"))(x)
    return layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)


def nested(k: Any, layers: Any) -> Any:
    """A backbone as a model of its own, with its preprocessing inside."""
    inputs = k.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1.5, offset=-0.2)(inputs)
    # Does nothing outside of training, which whoever calls a layer by itself has to say.
    x = layers.RandomFlip("vertical")(layers.RandomRotation(0.3)(x))
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Add()([x, layers.Conv2D(4, 1)(x)])
    return k.Model(inputs, layers.GlobalAveragePooling2D()(x))


def in_batch(k: Any, layers: Any, x: Any) -> Any:
    """Frames laid into the batch by hand, and taken out of it again."""
    import tensorflow as tf

    reshape = k.ops.reshape if k.__name__ == "keras" else tf.reshape
    frames = layers.Conv2D(4, 3, strides=2, activation="relu")(reshape(x, (-1, SIZE, SIZE, 3)))
    frames = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(frames))
    return reshape(frames, (-1, x.shape[1], 4))


def taken_apart(k: Any, layers: Any, x: Any) -> Any:
    """Every frame by itself through the same layers, and all of them side by side again."""
    import tensorflow as tf

    unstack, stack = (k.ops.unstack, k.ops.stack) if k.__name__ == "keras" else (tf.unstack, tf.stack)
    convolution, pooling = layers.Conv2D(4, 3, strides=2, activation="relu"), layers.GlobalAveragePooling2D()
    return stack([pooling(convolution(frame)) for frame in unstack(x, axis=1)], axis=1)


def encoder_block(k: Any, layers: Any, x: Any) -> Any:
    """One block of a transformer."""
    attended = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    dense = layers.Dense(4)(layers.Dense(8, activation="relu")(x))
    return layers.LayerNormalization()(layers.Add()([x, dense]))


def tcn(k: Any, layers: Any, x: Any) -> Any:
    """Dilated causal convolutions with a way past them."""
    for dilation in (1, 2):
        y = layers.Conv1D(4, 2, dilation_rate=dilation, padding="causal", activation="relu")(x)
        y = layers.SpatialDropout1D(0.1)(y)
        x = layers.Add()([x, y])
    return x


def cells(layers: Any) -> Any:
    """Two cells, one upon the other in each step."""
    return layers.StackedRNNCells([layers.LSTMCell(5), layers.GRUCell(4)])


def seq2seq(k: Any, layers: Any, x: Any) -> Any:
    """An encoder's states begin a decoder."""
    _, hidden, carry = layers.LSTM(4, return_state=True)(x)
    repeated = layers.RepeatVector(3)(hidden)
    return layers.Flatten()(layers.LSTM(4, return_sequences=True)(repeated, initial_state=[hidden, carry]))


def r2plus1d(k: Any, layers: Any, x: Any) -> Any:
    """Space, then time, twice."""
    for _ in range(2):
        x = layers.Conv3D(4, (1, 3, 3), strides=(1, 2, 2), padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv3D(4, (3, 1, 1), padding="same")(x)))
    return layers.GlobalAveragePooling3D()(x)


def c3d(k: Any, layers: Any, x: Any) -> Any:
    """Convolution and pooling over space and time at once."""
    x = layers.MaxPooling3D((2, 2, 2), padding="same")(layers.Conv3D(4, 3, activation="relu", padding="same")(x))
    x = layers.AveragePooling3D(2)(layers.Conv3D(3, 2, strides=(1, 2, 2))(x))
    return layers.Flatten()(x)


ZOO: dict[str, Specimen] = {
    "lstm": Specimen("LSTM", lambda k, L, x: L.LSTM(4)(cnn(k, L, x)), step=True),
    "relu lstm": Specimen(
        "LSTM with other activations", lambda k, L, x: L.LSTM(4, activation="relu")(cnn(k, L, x)), step=True
    ),
    "gru": Specimen("GRU", lambda k, L, x: L.GRU(4)(cnn(k, L, x)), step=True),
    "gru reset before": Specimen(
        "GRU with reset_after=False", lambda k, L, x: L.GRU(4, reset_after=False)(cnn(k, L, x)), step=True
    ),
    "simple rnn": Specimen("SimpleRNN", lambda k, L, x: L.SimpleRNN(4)(cnn(k, L, x)), step=True),
    "stack": Specimen(
        "stacks of recurrent layers",
        lambda k, L, x: L.GRU(4)(
            L.Dropout(0.2)(L.BatchNormalization()(L.LSTM(5, return_sequences=True)(cnn(k, L, x))))
        ),
        step=True,
    ),
    "bilstm": Specimen("Bidirectional", lambda k, L, x: L.Bidirectional(L.LSTM(4))(cnn(k, L, x))),
    "bigru sequences": Specimen(
        "Bidirectional",
        lambda k, L, x: L.Flatten()(L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="ave")(cnn(k, L, x))),
    ),
    "bidirectional apart": Specimen(
        "Bidirectional with merge_mode=None",
        lambda k, L, x: L.Concatenate()(L.Bidirectional(L.LSTM(4), merge_mode=None)(cnn(k, L, x))),
    ),
    "stacked cells": Specimen("RNN over StackedRNNCells", lambda k, L, x: L.RNN(cells(L))(cnn(k, L, x)), step=True),
    "rnn of a cell": Specimen("RNN over a cell", lambda k, L, x: L.RNN(L.GRUCell(4))(cnn(k, L, x)), step=True),
    "returned states": Specimen("return_state and initial_state", seq2seq, FEATURES),
    "initial state": Specimen(
        "return_state and initial_state",
        lambda k, L, x: L.GRU(4)(x, initial_state=L.Dense(4)(L.GlobalAveragePooling1D()(x))),
        FEATURES,
        plan="stack",
    ),
    "states kept": Specimen(
        "return_state and initial_state",
        lambda k, L, x: L.Concatenate()(L.LSTM(4, return_state=True)(cnn(k, L, x))),
        step=True,
    ),
    "autoencoder": Specimen("RepeatVector", lambda k, L, x: L.LSTM(3)(L.RepeatVector(4)(L.LSTM(4)(cnn(k, L, x))))),
    "masked lstm": Specimen(
        "Masking before recurrent layers", lambda k, L, x: L.LSTM(4)(L.Dense(6)(L.Masking()(x))), FEATURES, step=True
    ),
    "masked stack": Specimen(
        "Masking before recurrent layers",
        lambda k, L, x: L.LSTM(3)(L.GRU(4, return_sequences=True)(L.Masking(-1.0)(x))),
        FEATURES,
        step=True,
    ),
    "masked bilstm": Specimen(
        "Masking before recurrent layers",
        lambda k, L, x: L.LSTM(3)(L.Bidirectional(L.LSTM(4, return_sequences=True))(L.Masking(0.0)(x))),
        FEATURES,
    ),
    "masked mean": Specimen(
        "Masking before pooling", lambda k, L, x: L.GlobalAveragePooling1D()(L.Dense(4)(L.Masking()(x))), FEATURES
    ),
    "conv1d": Specimen(
        "Conv1D and pooling over time",
        lambda k, L, x: L.GlobalMaxPooling1D()(L.MaxPooling1D(2)(L.Conv1D(4, 3)(cnn(k, L, x)))),
    ),
    "conv1d lstm": Specimen(
        "Conv1D before recurrent layers",
        lambda k, L, x: L.LSTM(4)(L.MaxPooling1D(2)(L.Conv1D(4, 3, padding="same")(x))),
        FEATURES,
        plan="stack",
    ),
    "separable": Specimen(
        "Conv1D and pooling over time",
        lambda k, L, x: L.GlobalAveragePooling1D()(L.SeparableConv1D(4, 3)(cnn(k, L, x))),
    ),
    "tcn": Specimen("dilated causal TCN", lambda k, L, x: tcn(k, L, cnn(k, L, x))[:, -1], step=True),
    "tcn mean": Specimen("dilated causal TCN", lambda k, L, x: L.GlobalAveragePooling1D()(tcn(k, L, cnn(k, L, x)))),
    "last frame": Specimen(
        "the newest frame of a sequence",
        lambda k, L, x: L.LSTM(4, return_sequences=True)(cnn(k, L, x))[:, -1, :],
        step=True,
    ),
    "mha": Specimen(
        "MultiHeadAttention",
        lambda k, L, x: L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 3)(*[cnn(k, L, x)] * 2)),
    ),
    "transformer": Specimen(
        "transformer encoder", lambda k, L, x: L.GlobalMaxPooling1D()(encoder_block(k, L, cnn(k, L, x)))
    ),
    "attention": Specimen(
        "Attention and AdditiveAttention", lambda k, L, x: L.GlobalAveragePooling1D()(L.Attention()([cnn(k, L, x)] * 2))
    ),
    "additive": Specimen(
        "Attention and AdditiveAttention",
        lambda k, L, x: L.Flatten()(L.AdditiveAttention()([L.LSTM(4, return_sequences=True)(cnn(k, L, x))] * 2)),
    ),
    "weighted sum": Specimen(
        "attention from Dense, Permute and Dot",
        lambda k, L, x: L.Flatten()(L.Dot(axes=1)([L.Softmax(axis=1)(L.Dense(1)(cnn(k, L, x))), cnn(k, L, x)])),
    ),
    "permuted attention": Specimen(
        "attention from Dense, Permute and Dot",
        lambda k, L, x: L.Flatten()(
            L.Multiply()([x, L.Permute((2, 1))(L.Dense(x.shape[1], activation="softmax")(L.Permute((2, 1))(x)))])
        ),
        FEATURES,
        plan="stack",
    ),
    "pooling": Specimen(
        "pooling, Flatten and Dense over time", lambda k, L, x: L.GlobalAveragePooling1D()(cnn(k, L, x))
    ),
    "flatten": Specimen(
        "pooling, Flatten and Dense over time", lambda k, L, x: L.Dense(5, activation="relu")(L.Flatten()(cnn(k, L, x)))
    ),
    "reshape": Specimen(
        "Reshape and Permute within a frame",
        lambda k, L, x: L.LSTM(3)(L.Reshape((x.shape[1], -1))(L.Permute((1, 3, 2, 4))(L.MaxPooling3D((1, 4, 4))(x)))),
        step=True,
    ),
    "reshape open": Specimen(
        "Reshape and Permute within a frame",
        lambda k, L, x: L.GRU(3)(L.Reshape((-1, 48))(L.AveragePooling3D((1, 4, 4))(x))),
        step=True,
    ),
    "nested": Specimen(
        "TimeDistributed over nested models and preprocessing",
        lambda k, L, x: L.LSTM(4)(L.TimeDistributed(nested(k, L))(x)),
        step=True,
    ),
    "recurrent inside": Specimen(
        "recurrent layers inside of TimeDistributed",
        lambda k, L, x: L.LSTM(3)(L.TimeDistributed(L.GRU(4))(L.Reshape((x.shape[1], 4, 3))(x))),
        FEATURES,
        step=True,
    ),
    "in the batch": Specimen(
        "frames laid into the batch by reshape, and out of it", lambda k, L, x: L.LSTM(4)(in_batch(k, L, x)), step=True
    ),
    "taken apart": Specimen(
        "frames taken apart, each through the same layers", lambda k, L, x: L.GRU(4)(taken_apart(k, L, x)), step=True
    ),
    "bn over features": Specimen(
        "BatchNormalization, LayerNormalization and noise over frames",
        lambda k, L, x: L.LSTM(4)(L.GaussianNoise(0.1)(L.LayerNormalization()(L.BatchNormalization()(x)))),
        FEATURES,
        step=True,
    ),
    "flat convolutions": Specimen(
        "Conv3D and pooling of one frame's depth",
        lambda k, L, x: L.LSTM(4)(
            L.TimeDistributed(L.Flatten())(L.MaxPooling3D((1, 4, 4))(L.Conv3D(3, (1, 3, 3), activation="relu")(x)))
        ),
        step=True,
    ),
    "two streams": Specimen(
        "several streams over the same frames",
        lambda k, L, x: L.Concatenate()([L.LSTM(3)(cnn(k, L, x)), L.GlobalMaxPooling1D()(cnn(k, L, x))]),
    ),
    "c3d": Specimen("Conv3D and three-dimensional pooling", c3d, plan="stack"),
    "c3d in groups": Specimen(
        "Conv3D in groups",
        lambda k, L, x: L.Flatten()(
            L.Conv3D(4, (1, 3, 3), groups=2, strides=(1, 2, 2))(
                L.Conv3D(6, 3, groups=3, padding="same", activation="relu")(x)
            )
        ),
        plan="stack",
    ),
    "r2plus1d": Specimen("(2+1)D convolutions", r2plus1d),
    "c3d lstm": Specimen(
        "Conv3D before recurrent layers",
        lambda k, L, x: L.LSTM(3)(
            L.TimeDistributed(L.Flatten())(L.MaxPooling3D((1, 4, 4))(L.Conv3D(3, 3, padding="same")(x)))
        ),
        plan="stack",
    ),
    "convlstm": Specimen(
        "ConvLSTM2D",
        lambda k, L, x: L.Flatten()(
            L.ConvLSTM2D(2, 3)(
                L.TimeDistributed(L.Dropout(0.2))(
                    L.MaxPooling3D((1, 2, 2))(L.ConvLSTM2D(3, 3, return_sequences=True)(x))
                )
            )
        ),
        step=True,
    ),
    "convlstm after cnn": Specimen(
        "ConvLSTM2D",
        lambda k, L, x: L.GlobalAveragePooling2D()(L.ConvLSTM2D(2, 3)(L.TimeDistributed(L.MaxPooling2D(4))(x))),
        step=True,
    ),
    "convlstm1d": Specimen(
        "ConvLSTM1D and other cells",
        lambda k, L, x: L.Flatten()(L.ConvLSTM1D(2, 3)(L.Reshape((x.shape[1], 12, 1))(x))),
        FEATURES,
        step=True,
    ),
    "activations": Specimen(
        "the usual activations",
        lambda k, L, x: L.LSTM(3)(
            L.LeakyReLU()(
                L.Dense(4, activation="elu")(
                    L.Dense(4, activation="gelu")(L.Dense(4, activation="swish")(cnn(k, L, x)))
                )
            )
        ),
        step=True,
    ),
    "selu": Specimen(
        "the usual activations",
        lambda k, L, x: L.LSTM(3)(
            L.PReLU(shared_axes=[1])(L.Dense(4, activation="softplus")(L.Dense(4, activation="selu")(cnn(k, L, x))))
        ),
        step=True,
    ),
}


def framework(name: str) -> Any:
    """Import a framework by its name."""
    if name == "keras":
        import keras

        return keras
    import tf_keras

    return tf_keras


def make(name: str, with_framework: str = "keras", *, frames: int | None = None, weights: Any = None) -> Any:
    """Build a specimen with weights that say something.

    Args:
        name: In `ZOO`.
        with_framework: "keras" or "tf_keras".
        frames: Another length of the window.
        weights: To take instead of chance.
    """
    k, specimen = framework(with_framework), ZOO[name]
    k.utils.set_random_seed(3)
    inputs = k.Input((frames or specimen.shape[0], *specimen.shape[1:]))
    model = k.Model(inputs, k.layers.Dense(CLASSES, activation="softmax")(specimen.build(k, k.layers, inputs)))
    if weights is None:
        return liven(model)
    model.set_weights(weights)
    return model


def liven(model: Any) -> Any:
    """Randomise every weight, so that a missing one shows, and keep the last layer's scores uncertain."""
    import numpy as np

    rng = np.random.default_rng(5)
    *weights, kernel, _ = [
        weight + rng.uniform(0.05, 0.3, weight.shape).astype(np.float32) for weight in model.get_weights()
    ]
    examples = rng.random((8, *model.input_shape[1:])).astype(np.float32)
    kernel = rng.normal(0, 1, kernel.shape).astype(np.float32)
    for _ in range(12):
        model.set_weights([*weights, kernel, np.zeros(CLASSES, np.float32)])
        answers = np.asarray(model(examples, training=False))
        kernel = kernel * (0.5 if answers.max() > 0.9 else 1.0)
    return model


def clip(name: str, *, count: int = 1, seed: int = 0) -> Any:
    """Windows for a specimen; those for masks have frames to pass over."""
    import numpy as np

    windows = np.random.default_rng(seed).random((count, *ZOO[name].shape)).astype(np.float32)
    if name.startswith("masked"):
        windows[:, 1], windows[:, 3], windows[:, -1] = 0.0, -1.0, 0.0
    return windows
