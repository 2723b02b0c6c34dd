"""Fine-tune a model to give the answers of another one on the same windows, without labels."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convert.clips import Clip, random_window, to_real
from convert.frameworks import internals
from convert.frameworks.layer_calls import replace_calls
from convert.progress import Progress
from convert.training.augment import Augmentation, draw
from edgevid.bundle.manifest import Scores, Window
from edgevid.errors import ModelError
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec

# Windows in a step, peak of Adam's learning rate, and largest norm of all gradients together.
_BATCH, _RATE, _CLIP = 8, 1e-3, 1.0
# The trained model answers so many variations of each clip, and then they come again: its answers are what costs.
_VARIATIONS = 8
# Softens both answers, so that classes without a chance teach too.
_TEMPERATURE = 2.0
# Of 0.99, as in Keras, a third would be left of the statistics of the unpruned model after a hundred steps.
_MOMENTUM = 0.9
# Probabilities of 0 and 1 have no logarithm, or no odds.
_LEAST = 1e-6


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Varied windows of clips; equal numbers give equal windows.

    Attributes:
        clips: Decoded clips of pictures.
        window: Window of the model.
        input: Input frames of the model.
        augmentation: Limits of the variation.
    """

    clips: Sequence[Clip]
    window: Window
    input: InputSpec
    augmentation: Augmentation = field(default_factory=Augmentation)

    def batches(self, epoch: int) -> Iterator[tuple[Array, Array]]:
        """Yield batches of one window a clip.

        Args:
            epoch: Number of the epoch, which decides the order and the variation.

        Yields:
            The places of the clips (B,), and (B, T, H, W, C) float32 in the model's range. The last batch is filled
            up with clips from the start.
        """
        order = np.random.default_rng(epoch).permutation(len(self.clips))
        order = np.resize(order, -(-len(order) // _BATCH) * _BATCH)
        for start in range(0, len(order), _BATCH):
            places = order[start : start + _BATCH]
            frames = [self._one(int(place), epoch % _VARIATIONS) for place in places]
            yield places, to_real(np.stack(frames), self.input)

    def _one(self, place: int, variation: int) -> Array:
        rng = np.random.default_rng((variation, place))
        # No class may be mirrored: what the mirror image shows is not known here.
        varied = draw(self.augmentation, rng, label="")
        return varied.apply(random_window(self.clips[place], self.window, rng, speed=varied.speed))


def fine_tune(
    model: Any,
    student: Callable[..., Any],
    teacher: Callable[..., Any],
    windows: Windows,
    *,
    kind: Scores,
    epochs: int,
    progress: Progress,
) -> float:
    """Train a model to give the answers of another one.

    The loss is the divergence of Kullback and Leibler between both answers, softened; of independent scores, the
    cross-entropy of each. Batch normalisation learns its statistics anew; dropout and random layers are off.

    Args:
        model: The Keras model to train; modified.
        student: From windows to its scores.
        teacher: From windows to the scores to give.
        windows: Windows to learn from.
        kind: What the scores are.
        epochs: Passes over the clips.
        progress: Shows the epochs.

    Returns:
        Mean loss over the last epoch.

    Raises:
        ModelError: The loss is not finite.

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, for the temperature.
    """
    import tensorflow as tf

    model.trainable = True
    answers: dict[tuple[int, int], Array] = {}
    ask = tf.function(lambda batch: teacher(batch, training=False))
    loss = 0.0
    with replace_calls(_training_calls(model)):
        step = _step(model, student, kind, steps=epochs * -(-len(windows.clips) // _BATCH))
        for epoch in progress.track(range(epochs), "fine-tuning"):
            losses = [
                float(step(batch, _answers(ask, batch, places, epoch % _VARIATIONS, answers)))
                for places, batch in windows.batches(epoch)
            ]
            loss = float(np.mean(losses))
    if not np.isfinite(loss):
        raise ModelError(expected="a finite loss of fine-tuning", got=loss, hint="Prune less.")
    return loss


def _answers(
    ask: Callable[[Array], Any], batch: Array, places: Array, variation: int, known: dict[tuple[int, int], Array]
) -> Array:
    """Return the teacher's scores, asked once for each window."""
    keys = [(variation, int(place)) for place in places]
    if not all(key in known for key in keys):
        known.update(zip(keys, np.asarray(ask(batch)), strict=True))
    return np.stack([known[key] for key in keys])


def _step(model: Any, student: Callable[..., Any], kind: Scores, *, steps: int) -> Callable[[Array, Array], Any]:
    """Return a function that makes one step of Adam and returns the loss."""
    import tensorflow as tf

    optimizers = importlib.import_module(f"{internals.framework_of(model)}.optimizers")
    optimizer = optimizers.Adam(optimizers.schedules.CosineDecay(_RATE, steps))
    variables = model.trainable_variables

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(batch: Any, answers: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = divergence(student(batch, training=False), answers, kind)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), _CLIP)
        # A layer that reaches no score, such as one of another output, has no gradient.
        optimizer.apply_gradients([pair for pair in zip(gradients, variables, strict=True) if pair[0] is not None])
        return loss

    return step


def divergence(scores: Any, targets: Any, kind: Scores) -> Any:
    """Return how far scores are from targets, both softened.

    Args:
        scores: (N, outputs).
        targets: (N, outputs) of the same kind.
        kind: What they are.

    Returns:
        The mean over windows, times the square of the temperature, which keeps the size of its gradients.
    """
    import tensorflow as tf

    ours, theirs = (_logits(tf.convert_to_tensor(each), kind) / _TEMPERATURE for each in (scores, targets))
    if kind in ("softmax", "logits"):
        expected = tf.nn.softmax(theirs)
        each = tf.reduce_sum(expected * (tf.nn.log_softmax(theirs) - tf.nn.log_softmax(ours)), axis=-1)
    else:
        crossed = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.sigmoid(theirs), logits=ours)
        each = tf.reduce_sum(crossed, axis=-1)
    return _TEMPERATURE**2 * tf.reduce_mean(each)


def _logits(scores: Any, kind: Scores) -> Any:
    import tensorflow as tf

    if kind in ("logits", "sigmoid_logits"):
        return scores
    likely = tf.clip_by_value(scores, _LEAST, 1 - _LEAST)
    return tf.math.log(likely) if kind == "softmax" else tf.math.log(likely) - tf.math.log1p(-likely)


def _training_calls(model: Any) -> Mapping[Any, Callable[..., Any]]:
    """Return what layers compute in training: statistics of the batch, and all frames of a window at once."""
    calls: dict[Any, Callable[..., Any]] = {}
    for layer in internals.all_layers(model, include_self=False):
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            layer.momentum = min(layer.momentum, _MOMENTUM)
            calls[layer] = _normalise(layer)
        elif kind == "TimeDistributed":
            calls[layer] = _each_frame(layer.layer)
    return calls


def _normalise(layer: Any) -> Callable[..., Any]:
    call = type(layer).call

    def normalise(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return call(layer, inputs, training=True)

    return normalise


def _each_frame(layer: Any) -> Callable[..., Any]:
    # In Keras 3, `TimeDistributed` calls its layer once per frame: slow, and with statistics of a single frame.
    def each_frame(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        import tensorflow as tf

        shape = inputs.shape
        flag = {"training": training} if internals.takes_training(layer) else {}
        result = layer(tf.reshape(inputs, (-1, *shape[2:])), **flag)
        return tf.reshape(result, (-1, shape[1], *result.shape[1:]))

    return each_frame
