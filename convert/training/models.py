"""The reference CNN-LSTM: a convolutional encoder of frames, and a recurrent layer over features.

`TimeDistributed` wraps every layer before the recurrent one, so that the converter can split the
model there and stream it. Convolution, batch normalisation and ReLU6 fold into one int8 operator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras

from convert.frameworks.frame_difference import FrameDifference
from edgevid.errors import UsageError

Rnn = Literal["lstm", "gru"]
Pool = Literal["none", "columns"]
RNNS: tuple[Rnn, ...] = get_args(Rnn)
POOLS: tuple[Pool, ...] = get_args(Pool)
# ReLU6 instead of ReLU: where little moves, a rare strong activation is far outside all others, and
# no int8 grid can hold both. Unbounded, it reached 60 standard deviations on real footage.
_RELU_MAX = 6.0


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The shape of the reference network.

    Attributes:
        motion: Whether the encoder sees the difference of two neighbouring frames instead of one
            frame.
        filters: Number of channels of each convolution. Each convolution halves the picture.
        pool: "columns" reduces each row of the last feature map to its maximum. The network then
            sees the height of a movement, but not its horizontal position, which suits people who
            walk past. Gestures that differ by their direction need "none".
        features: Length of the feature vector of a frame.
        units: Number of units of the recurrent layer.
        rnn: The recurrent layer, "lstm" or "gru".
        dropout: Fraction of the features, and of the recurrent layer's output, that is dropped in
            training.

    Raises:
        UsageError: `rnn` or `pool` is not legal.
    """

    motion: bool = True
    filters: tuple[int, ...] = (8, 16, 32, 64)
    pool: Pool = "none"
    features: int = 64
    units: int = 48
    rnn: Rnn = "lstm"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.rnn not in RNNS:
            raise UsageError(expected="a recurrent layer", choices=RNNS, got=self.rnn)
        if self.pool not in POOLS:
            raise UsageError(expected="a pool", choices=POOLS, got=self.pool)


@dataclass(frozen=True)
class Network:
    """Two models that share one set of layers.

    Attributes:
        model: Maps (B, T, H, W, C) float32 pixels in the training range to (B, classes)
            probabilities. This is the model to save and convert.
        trainer: The same layers with time folded into the batch. In Keras 3, `TimeDistributed`
            calls its layer once per step. That is slow, and batch normalisation then uses the
            statistics of a single step instead of those of the whole batch.
    """

    model: keras.Model
    trainer: keras.Model


def build(options: ModelOptions, *, shape: tuple[int, ...], classes: int) -> Network:
    """Build a network with random weights.

    Args:
        options: Shape of the network.
        shape: (T, H, W, C) of one window.
        classes: Number of classes.

    Raises:
        UsageError: The window is too short for `motion`, or the frames are too small for the
            convolutions.
    """
    _reject_small(options, shape)
    # Convolutions with "same" padding round the size of their output up.
    layers = _encoder(options, columns=math.ceil(shape[2] / 2 ** len(options.filters)))
    tail = _tail(options, classes)
    return Network(
        _connect(options, shape, tail, lambda frames: _each_frame(layers, frames)),
        _connect(options, shape, tail, lambda frames: _all_frames(layers, frames)),
    )


def _reject_small(options: ModelOptions, shape: tuple[int, ...]) -> None:
    frames, height, width = shape[:3]
    UsageError.unless(
        not options.motion or frames >= 2,
        expected="a window of at least 2 frames to see motion in",
        got=frames,
        hint="Use more frames, or --motion off.",
    )
    # In a smaller picture, the last convolutions would see mostly padding.
    least = 2 ** len(options.filters)
    UsageError.unless(
        min(height, width) >= least,
        expected=f"frames of at least {least} pixels a side",
        got=(height, width),
        found=f"{width}x{height}",
    )


def _encoder(options: ModelOptions, *, columns: int) -> list[keras.layers.Layer]:
    convolutions = [layer for index, filters in enumerate(options.filters) for layer in _convolution(index, filters)]
    pool = [keras.layers.MaxPooling2D((1, columns), name="across")] if options.pool == "columns" else []
    return [
        *convolutions,
        *pool,
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(options.features, activation="relu6", name="features"),
        keras.layers.Dropout(options.dropout, name="features_dropout"),
    ]


def _convolution(index: int, filters: int) -> list[keras.layers.Layer]:
    # On a picture as large as the first one, normalisation would take a third of the training time.
    is_normalized = index > 0
    convolution = keras.layers.Conv2D(
        filters, 3 if is_normalized else 5, strides=2, padding="same", use_bias=not is_normalized, name=f"conv{index}"
    )
    norm = [keras.layers.BatchNormalization(momentum=0.9, name=f"norm{index}")] if is_normalized else []
    return [convolution, *norm, keras.layers.ReLU(_RELU_MAX, name=f"relu{index}")]


def _tail(options: ModelOptions, classes: int) -> list[keras.layers.Layer]:
    recurrent = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[options.rnn]
    return [
        recurrent(options.units, name=options.rnn),
        keras.layers.Dropout(options.dropout, name="dropout"),
        keras.layers.Dense(classes, activation="softmax", name="scores"),
    ]


def _connect(
    options: ModelOptions, shape: tuple[int, ...], tail: Sequence[keras.layers.Layer], encode: Callable[[Any], Any]
) -> keras.Model:
    inputs = keras.Input(shape, name="frames")
    features = encode(FrameDifference(name="motion")(inputs) if options.motion else inputs)
    for layer in tail:
        features = layer(features)
    return keras.Model(inputs, features)


def _each_frame(layers: Sequence[keras.layers.Layer], frames: Any) -> Any:
    for layer in layers:
        frames = keras.layers.TimeDistributed(layer, name=f"each_{layer.name}")(frames)
    return frames


def _all_frames(layers: Sequence[keras.layers.Layer], frames: Any) -> Any:
    """Encode (B, T, H, W, C) as one batch of B * T frames."""
    steps = frames.shape[1]
    frames = keras.ops.reshape(frames, (-1, *frames.shape[2:]))
    for layer in layers:
        frames = layer(frames)
    return keras.ops.reshape(frames, (-1, steps, frames.shape[-1]))
