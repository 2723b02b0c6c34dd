"""The reference CNN-LSTM: a small convolutional encoder applied to each frame alone, and a recurrent layer over its features.

Every layer before the recurrent one stands in `TimeDistributed`, so the converter can cut there and stream. Convolution, batch
normalisation and ReLU6 only: each folds into one int8 operator. ReLU6 and not ReLU, because where little moves a rare strong answer lies
far outside all others: unbounded, it reached 60 standard deviations on real footage, and one int8 grid cannot hold both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras

from convert.frameworks.layers import FrameDifference
from edgevid.errors import UsageError

Rnn = Literal["lstm", "gru"]
Pool = Literal["none", "columns"]
RNNS: tuple[Rnn, ...] = get_args(Rnn)
POOLS: tuple[Pool, ...] = get_args(Pool)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The shape of the reference network.

    Attributes:
        motion: Whether the encoder sees the difference of two neighbouring frames instead of a frame.
        filters: Channels of each convolution, of which each halves the picture.
        pool: "columns" keeps, of each row of the last map, only the strongest answer: the network then sees what moves at which height, and
            not where across the picture. That fits people who walk by; gestures that differ by their direction need "none".
        features: Length of the vector that stands for a frame.
        units: Units of the recurrent layer.
        rnn: Its kind.
        dropout: Fraction of features, and of the recurrent layer's output, that training leaves out.
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
    """One set of weights, wired twice.

    Attributes:
        model: (B, T, H, W, C) float pixels in the training range to (B, classes) probabilities; what is saved and converted.
        trainer: The same layers with time folded into the batch. In Keras 3 `TimeDistributed` calls its layer once for each step, which is
            slow and normalises each step by that step's own statistics; folded, a batch has one set of them.
    """

    model: keras.Model
    trainer: keras.Model


def build(options: ModelOptions, *, shape: tuple[int, ...], classes: int) -> Network:
    """Make a network with fresh weights.

    Args:
        options: Its shape.
        shape: (T, H, W, C) of one window.
        classes: Number of classes.

    Returns:
        The network.

    Raises:
        UsageError: The window is too short for `motion`, or the frames too small for the convolutions.
    """
    _refuse_small(options, shape)
    layers = _encoder(options, columns=math.ceil(shape[2] / 2 ** len(options.filters)))
    tail = _tail(options, classes)
    return Network(
        _wire(options, shape, tail, lambda frames: _step_by_step(layers, frames)),
        _wire(options, shape, tail, lambda frames: _folded(layers, frames)),
    )


def _refuse_small(options: ModelOptions, shape: tuple[int, ...]) -> None:
    if options.motion and shape[0] < 2:
        raise UsageError(
            expected="a window of at least 2 frames to see motion in",
            got=shape[0],
            found=f"{shape[0]}",
            hint="Ask for more frames, or for --motion off.",
        )
    least = 2 ** len(options.filters)
    if min(shape[1:3]) < least:
        raise UsageError(
            expected=f"frames of at least {least} pixels a side", got=shape[1:3], found=f"{shape[2]}x{shape[1]}"
        )


def _encoder(options: ModelOptions, *, columns: int) -> list[keras.layers.Layer]:
    convolutions = [layer for place, filters in enumerate(options.filters) for layer in _convolution(place, filters)]
    pool = [keras.layers.MaxPooling2D((1, columns), name="across")] if options.pool == "columns" else []
    return [
        *convolutions,
        *pool,
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(options.features, activation="relu6", name="features"),
        keras.layers.Dropout(options.dropout, name="features_dropout"),
    ]


def _convolution(place: int, filters: int) -> list[keras.layers.Layer]:
    """A convolution that halves the picture. The first is not normalised: on so large a picture that would be a third of training's time."""
    first = place == 0
    convolution = keras.layers.Conv2D(
        filters, 5 if first else 3, strides=2, padding="same", use_bias=first, name=f"conv{place}"
    )
    norm = [] if first else [keras.layers.BatchNormalization(momentum=0.9, name=f"norm{place}")]
    return [convolution, *norm, keras.layers.ReLU(6.0, name=f"relu{place}")]


def _tail(options: ModelOptions, classes: int) -> list[keras.layers.Layer]:
    recurrent = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[options.rnn]
    return [
        recurrent(options.units, name=options.rnn),
        keras.layers.Dropout(options.dropout, name="dropout"),
        keras.layers.Dense(classes, activation="softmax", name="scores"),
    ]


def _wire(
    options: ModelOptions, shape: tuple[int, ...], tail: Sequence[keras.layers.Layer], encode: Callable[[Any], Any]
) -> keras.Model:
    inputs = keras.Input(shape, name="frames")
    features = encode(FrameDifference(name="motion")(inputs) if options.motion else inputs)
    for layer in tail:
        features = layer(features)
    return keras.Model(inputs, features)


def _step_by_step(layers: Sequence[keras.layers.Layer], frames: Any) -> Any:
    for layer in layers:
        frames = keras.layers.TimeDistributed(layer, name=f"each_{layer.name}")(frames)
    return frames


def _folded(layers: Sequence[keras.layers.Layer], frames: Any) -> Any:
    steps = frames.shape[1]
    frames = keras.ops.reshape(frames, (-1, *frames.shape[2:]))
    for layer in layers:
        frames = layer(frames)
    return keras.ops.reshape(frames, (-1, steps, frames.shape[-1]))
