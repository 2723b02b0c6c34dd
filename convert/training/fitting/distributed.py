"""The same training as in `loop`, with each batch shared among workers.

All replicas hold the same weights. Each one takes its rows of a batch; gradients and the sums of metrics are added up
over all rows, and batch normalisation counts all of them. So the result is that of one process, up to rounding and
to dropout, whose masks differ. Keras' own `fit` cannot do this: it fails on values of several workers (Keras 3.15).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from convert.training.fitting.loop_options import LoopOptions
from convert.training.fitting.workers import ConnectedWorkers
from convert.training.windows import CentreWindows, RandomWindows
from edgevid.errors import ModelError, UsageError
from edgevid.frames import Array


@dataclass(frozen=True)
class Shared:
    """A training that workers share.

    Attributes:
        workers: The workers.
        key: All that they have to agree on.
    """

    workers: ConnectedWorkers
    key: str

    def check_agreement(self, epochs: int) -> None:
        """Reject workers that do not train the same: they would wait for each other for ever, or learn nonsense.

        Args:
            epochs: Epochs that are done, from the checkpoint.

        Raises:
            UsageError: Options, clips, or states of the workers differ.
        """
        import tensorflow as tf

        digest = int(hashlib.sha256(self.key.encode()).hexdigest()[:15], 16)
        mine = tf.constant([[digest, epochs]], tf.int64)
        digests, states = self.workers.gathered(mine).T.tolist()
        UsageError.unless(
            len(set(digests)) == 1, expected="the same options and clips on every worker", found="different ones"
        )
        UsageError.unless(
            len(set(states)) == 1,
            expected="one --checkpoint folder that every worker reads",
            found=f"states after {', '.join(map(str, sorted(set(states))))} epochs",
        )

    def run(
        self,
        model: keras.Model,
        windows: RandomWindows,
        validation: CentreWindows | None,
        *,
        options: LoopOptions,
        epochs: range,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """Train for some epochs, as `fit` of Keras does.

        Args:
            model: The network, compiled in the scope of the workers' strategy.
            windows: To learn from.
            validation: To watch; None watches nothing.
            options: Options of the loop.
            epochs: Numbers of the epochs.
            callbacks: Called at the beginning, after each epoch and at the end.
        """
        steps = _Steps(model, self.workers, options)
        steps.check_batches(windows)
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for layer in norms:
            layer.synchronized = True
        listed = keras.callbacks.CallbackList(list(callbacks), model=model)
        model.stop_training = False
        listed.on_train_begin()
        for epoch in epochs:
            listed.on_epoch_begin(epoch)
            # `fit` of Keras ends an epoch of its data before the first one.
            windows.go_to(epoch + 1)
            logs = steps.train(windows) | (steps.validate(validation) if validation else {})
            listed.on_epoch_end(epoch, logs)
            if model.stop_training or not math.isfinite(logs["loss"]):
                break
        listed.on_train_end()


class _Steps:
    """Steps of training and validation of a compiled model."""

    def __init__(self, model: keras.Model, workers: ConnectedWorkers, options: LoopOptions) -> None:
        import tensorflow as tf

        self._tf, self._model, self._strategy = tf, model, workers.strategy
        self._replicas = workers.strategy.num_replicas_in_sync
        self._clip_norm = options.clip_norm
        self._loss = keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing, reduction="sum")
        with self._strategy.scope():
            model.optimizer.build(model.trainable_variables)
        self._learn = tf.function(self._learn_batch, reduce_retracing=True, autograph=False)

    def check_batches(self, windows: RandomWindows) -> None:
        """Reject batches of which a replica would have no row."""
        least = min(len(windows.numbers_of(index)) for index in range(len(windows)))
        UsageError.unless(
            least >= self._replicas,
            expected=f"batches of at least {self._replicas} windows for as many replicas",
            got=least,
            hint="Use a larger --batch, or fewer workers.",
        )

    def train(self, windows: RandomWindows) -> dict[str, float]:
        """Train for one epoch, and return "loss" and "accuracy" over its windows."""
        sums = np.zeros(3)
        for index in range(len(windows)):
            rows = len(windows.numbers_of(index))
            frames, targets = self._shares(windows, index)
            sums += self._learn(frames, targets, self._tf.constant(rows, self._tf.float32)).numpy()
        return _means(sums)

    def validate(self, middles: CentreWindows) -> dict[str, float]:
        """Return "val_loss" and "val_accuracy"; each replica answers whole batches."""
        sums = self._strategy.experimental_distribute_values_from_function(
            lambda context: self._answered(middles, context.replica_id_in_sync_group)
        )
        total = self._strategy.reduce("SUM", sums, axis=None).numpy()
        return {f"val_{name}": value for name, value in _means(total).items()}

    def _answered(self, middles: CentreWindows, replica: int) -> Any:
        sums = np.zeros(3, np.float32)
        for index in range(replica, len(middles), self._replicas):
            frames, targets = middles[index]
            answers = self._model(frames, training=False)
            sums += np.asarray(self._sums(targets, answers, self._loss(targets, answers)))
        return self._tf.constant(sums)

    def _shares(self, windows: RandomWindows, index: int) -> tuple[Any, Any]:
        """Return frames and targets of a batch, of each replica its rows."""
        made: dict[int, tuple[Array, Array]] = {}

        def share(context: Any, place: int) -> Any:
            replica = context.replica_id_in_sync_group
            if replica not in made:
                made[replica] = windows.share(index, replica, self._replicas)
            return self._tf.constant(made[replica][place])

        distribute = self._strategy.experimental_distribute_values_from_function
        return distribute(lambda context: share(context, 0)), distribute(lambda context: share(context, 1))

    def _learn_batch(self, frames: Any, targets: Any, rows: Any) -> Any:
        sums = self._strategy.run(self._learn_share, args=(frames, targets, rows))
        return self._strategy.reduce("SUM", sums, axis=None)

    def _learn_share(self, frames: Any, targets: Any, rows: Any) -> Any:
        tf, variables = self._tf, self._model.trainable_variables
        with tf.GradientTape() as tape:
            answers = self._model(frames, training=True)
            loss = self._loss(targets, answers)
            share = loss / rows
        gradients = tape.gradient(share, variables)
        # Clipped as a whole: the optimiser would clip the gradient of each share. It adds up what it gets once more.
        whole = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        clipped = [tf.clip_by_norm(each, self._clip_norm) / self._replicas for each in whole]
        self._model.optimizer.apply_gradients(zip(clipped, variables, strict=True))
        return self._sums(targets, answers, loss)

    def _sums(self, targets: Any, answers: Any, loss: Any) -> Any:
        tf = self._tf
        is_right = tf.argmax(answers, axis=1) == tf.argmax(targets, axis=1)
        return tf.stack([loss, tf.reduce_sum(tf.cast(is_right, tf.float32)), tf.cast(tf.shape(answers)[0], tf.float32)])


@contextmanager
def one_clear_line(workers: ConnectedWorkers) -> Iterator[None]:
    """Turn the error of a worker that is gone into a line."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise ModelError(
            expected=f"{workers.place.count} workers up to the end",
            found=f"a step that failed with {type(error).__name__}",
            hint="Start all of them again. With --checkpoint they continue after the last epoch.",
        ) from error


def _means(sums: Array) -> dict[str, float]:
    loss, right, count = (float(each) for each in sums)
    return {"loss": loss / count, "accuracy": right / count}
