"""Heads that read the features of a window in order: recurrent, convolutional and attentive ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from convert.training.fitting.epoch import Epoch
from convert.training.options import CAUSAL, HeadName
from convert.transfer.head_fitting.heads import Examples, HeadTraining
from convert.transfer.head_fitting.mixed_batches import MixedBatches
from edgevid.frames import Array

_UNITS, _HEADS, _KERNEL, _DILATIONS = 64, 4, 3, (1, 2, 4)
_EPOCHS, _BATCH, _LEARNING_RATE = 40, 16, 1e-3
_DROPOUT = 0.3
# As a fraction of the mean variance of all features.
_LEAST_VARIANCE = 0.1


Apply = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class SequenceHead:
    """Layers over the features of a window.

    Attributes:
        body: Layers, applied in turn.
        scores: The last layer, which gives the logits.
        model: Maps (B, T, F) to (B, classes) logits with the same layers.
        history: Epochs of its training.
        temperature: What the logits are divided by.
    """

    body: Sequence[Apply]
    scores: keras.layers.Dense
    model: keras.Model
    history: tuple[Epoch, ...]
    temperature: float = 1.0

    def logits(self, features: Array) -> Array:
        """Return the logits (N, classes) of windows (N, T, F)."""
        return np.asarray(self.model(features, training=False)) / self.temperature

    def connect(self, features: Any) -> Any:
        """Return Keras probabilities (B, classes) of Keras features (B, T, F)."""
        values = _apply(self.body, features)
        probabilities = keras.layers.Dense(self.scores.units, activation="softmax", name="scores")
        probabilities.build((None, values.shape[-1]))
        probabilities.set_weights([weights / self.temperature for weights in self.scores.get_weights()])
        return probabilities(values)

    def scaled(self, temperature: float) -> SequenceHead:
        """Return a head whose logits are divided by a temperature."""
        return replace(self, temperature=self.temperature * temperature)


def fit_sequence(name: HeadName, examples: Examples, *, seed: int, training: HeadTraining) -> SequenceHead:
    """Fit a head that reads the features in order.

    Args:
        name: "lstm", "gru", "tcn", "attention" or "bilstm".
        examples: Windows that show every class.
        seed: Seed of weights and batches.
        training: How. Of a causal head that learns to answer at every frame, later ones count more:
            on a device, answers are read while the action still goes on.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(examples.features.shape[1:], name="features")
    body = [_standardise(examples.features), keras.layers.Dropout(_DROPOUT, name="features_dropout"), *_BODIES[name]()]
    scores = keras.layers.Dense(int(examples.classes.max()) + 1, name="logits")
    values = _apply(body, inputs)
    newest = [*body, _newest] if name in CAUSAL else body
    answering = keras.Model(inputs, scores(_apply(newest, inputs)))
    is_every_frame = training.every_frame and name in CAUSAL
    trained = keras.Model(inputs, scores(values)) if is_every_frame else answering
    history = _train(trained, examples, replace(training, every_frame=is_every_frame), seed=seed)
    return SequenceHead(newest, scores, answering, history)


def _apply(body: Sequence[Apply], values: Any) -> Any:
    for layer in body:
        values = layer(values)
    return values


def _newest(values: Any) -> Any:
    return values[:, -1]


def _standardise(features: Array) -> keras.layers.Layer:
    flat = features.reshape(-1, features.shape[-1])
    # A feature that is almost always zero would be blown up by its tiny variance.
    variance = flat.var(axis=0)
    return keras.layers.Normalization(
        mean=flat.mean(axis=0), variance=variance + _LEAST_VARIANCE * variance.mean(), name="standardise"
    )


def _recurrent(layer: type[keras.layers.Layer]) -> Sequence[Apply]:
    return [layer(_UNITS, return_sequences=True, name=layer.__name__.lower()), _dropout()]


def _convolutional() -> Sequence[Apply]:
    convolutions = [
        keras.layers.Conv1D(
            _UNITS, _KERNEL, dilation_rate=dilation, padding="causal", activation="relu", name=f"conv{dilation}"
        )
        for dilation in _DILATIONS
    ]
    return [*convolutions, _dropout()]


def _bidirectional() -> Sequence[Apply]:
    return [keras.layers.Bidirectional(keras.layers.LSTM(_UNITS // 2), name="bilstm"), _dropout()]


def _attentive() -> Sequence[Apply]:
    attention = keras.layers.MultiHeadAttention(_HEADS, _UNITS // _HEADS, name="attention")
    # Attention over 1280 features would have more weights than all clips have numbers.
    narrow = keras.layers.Dense(_UNITS, name="narrow")
    return [
        narrow,
        lambda values: values + attention(values, values),
        keras.layers.GlobalAveragePooling1D(name="over_time"),
        _dropout(),
    ]


def _dropout() -> keras.layers.Layer:
    return keras.layers.Dropout(_DROPOUT, name="dropout")


_BODIES: dict[HeadName, Callable[[], Sequence[Apply]]] = {
    "lstm": lambda: _recurrent(keras.layers.LSTM),
    "gru": lambda: _recurrent(keras.layers.GRU),
    "tcn": _convolutional,
    "attention": _attentive,
    "bilstm": _bidirectional,
}


def _train(model: keras.Model, examples: Examples, training: HeadTraining, *, seed: int) -> tuple[Epoch, ...]:
    targets = np.eye(model.output_shape[-1], dtype=np.float32)[examples.classes]
    weights = examples.weights.astype(np.float32)
    if training.every_frame:
        frames = examples.features.shape[1]
        targets = np.repeat(targets[:, None], frames, axis=1)
        # The first frames of an action say little.
        weights = weights[:, None] * np.linspace(0, 2, frames + 1, dtype=np.float32)[1:]
    steps = _EPOCHS * -(-len(targets) // _BATCH)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps), clipnorm=1.0),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=training.label_smoothing),
        metrics=["accuracy"],
    )
    if training.mix_up:
        batches = MixedBatches(examples.features, targets, weights, alpha=training.mix_up, batch=_BATCH, seed=seed)
        logs = model.fit(batches, epochs=_EPOCHS, verbose=0).history
    else:
        logs = model.fit(
            examples.features, targets, sample_weight=weights, epochs=_EPOCHS, batch_size=_BATCH, verbose=0
        ).history
    pairs = enumerate(zip(logs["loss"], logs["accuracy"], strict=True), 1)
    return tuple(
        Epoch(number=number, of=_EPOCHS, loss=loss, accuracy=accuracy, val_loss=None, val_accuracy=None)
        for number, (loss, accuracy) in pairs
    )
