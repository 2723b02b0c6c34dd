"""Fit a network: learning rate, early stopping, epochs, and the checkpoint after each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np

from convert.training.fitting.checkpoint import Checkpoint, Patience, State
from convert.training.fitting.distributed import Shared, one_clear_line
from convert.training.fitting.epoch import Epoch
from convert.training.fitting.loop_options import LoopOptions
from convert.training.fitting.workers import connected_workers
from convert.training.teaching.distillation import accuracy, distillation_loss
from convert.training.windows import CentreWindows, RandomWindows
from edgevid.errors import ModelError

# In this fraction of the steps the learning rate rises to its peak, from a twentieth of it: Adam's
# first estimates of the gradient are poor, and a full step on them would do harm.
_WARM_UP, _WARM_UP_DIVISOR = 0.05, 20


def fit_network(
    network: keras.Model,
    windows: RandomWindows,
    validation: CentreWindows | None,
    *,
    options: LoopOptions,
    checkpoint: Checkpoint | None,
    on_epoch: Callable[[Epoch], None],
    key: str = "",
) -> tuple[Epoch, ...]:
    """Fit a network, and leave the best weights in it. Workers that are connected share each batch.

    Args:
        network: The network.
        windows: To learn from.
        validation: To watch; None watches nothing.
        options: Options of the loop.
        checkpoint: Where the state is kept after each epoch, and where a stopped training goes on
            from; None for nowhere. Of several workers, the chief writes it.
        on_epoch: Called at the end of each epoch.
        key: All that workers have to agree on.

    Returns:
        One entry per epoch, those before a stop included.

    Raises:
        ModelError: The training diverged, the checkpoint is damaged, or a worker is gone.
        UsageError: Workers do not agree, or a batch has fewer windows than there are replicas.
    """
    workers = connected_workers()
    if workers is None:
        return _fit(network, windows, validation, options=options, checkpoint=checkpoint, on_epoch=on_epoch)
    with one_clear_line(workers):
        with workers.strategy.scope():
            mirrored = keras.models.clone_model(network)
            mirrored.set_weights(network.get_weights())
        history = _fit(
            mirrored,
            windows,
            validation,
            options=options,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            shared=Shared(workers, key),
        )
        network.set_weights(mirrored.get_weights())
    return history


def _fit(
    model: keras.Model,
    windows: RandomWindows,
    validation: CentreWindows | None,
    *,
    options: LoopOptions,
    checkpoint: Checkpoint | None,
    on_epoch: Callable[[Epoch], None],
    shared: Shared | None = None,
) -> tuple[Epoch, ...]:
    with shared.workers.strategy.scope() if shared else nullcontext():
        _compile(model, options, steps=options.epochs * len(windows))
    state = checkpoint.read() if checkpoint else None
    if shared:
        shared.check_agreement(0 if state is None else len(state.history))
    if state is not None:
        _restore(model, windows, state)
    report = _Report(options.epochs, on_epoch, history=state.history if state else ())
    stopping = _Stopping(options.patience, state.patience if state else None) if validation else None
    done = len(report.history)
    if state is None or not (state.is_over or done >= options.epochs):
        callbacks = [keras.callbacks.TerminateOnNaN(), *([stopping] if stopping else []), report]
        is_chief = shared is None or shared.workers.place.is_chief
        if checkpoint and is_chief:
            # After the others, whose states it stores.
            callbacks.append(_CheckpointWriter(checkpoint, report, stopping))
        if options.tensorboard is not None and is_chief:
            callbacks.append(keras.callbacks.TensorBoard(options.tensorboard))
        epochs = range(done, options.epochs)
        if shared:
            shared.run(model, windows, validation, options=options, epochs=epochs, callbacks=callbacks)
        else:
            # The windows are shuffled already. Keras shuffles the batches too, by a state that no
            # checkpoint can hold.
            _run(model, windows, validation, shuffle=checkpoint is None, epochs=epochs, callbacks=callbacks)
    elif state.patience is not None:
        model.set_weights(state.patience.best_weights)
    _check_finite(report.history[-1])
    return tuple(report.history)


def _run(
    model: keras.Model,
    windows: RandomWindows,
    validation: CentreWindows | None,
    *,
    shuffle: bool,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    model.fit(
        windows,
        epochs=epochs.stop,
        initial_epoch=epochs.start,
        shuffle=shuffle,
        verbose=0,
        validation_data=validation,
        callbacks=list(callbacks),
    )


def _check_finite(last: Epoch) -> None:
    if not math.isfinite(last.loss):
        raise ModelError(
            expected="a finite loss",
            got=last.loss,
            found=f"{last.loss} in epoch {last.number}",
            hint="Lower the learning rate.",
        )


def _compile(model: keras.Model, options: LoopOptions, *, steps: int) -> None:
    warm_up = math.ceil(_WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        options.learning_rate / _WARM_UP_DIVISOR,
        # A single step is all warm-up, and Keras rejects a decay over no steps.
        max(1, steps - warm_up),
        warmup_target=options.learning_rate,
        warmup_steps=warm_up,
    )
    adam = keras.optimizers.Adam(rate, clipnorm=options.clip_norm)
    if options.distillation is not None:
        loss = distillation_loss(options.distillation, label_smoothing=options.label_smoothing)
        model.compile(adam, loss=loss, metrics=[accuracy])
        return
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing)
    model.compile(adam, loss=loss, metrics=["accuracy"])


def _restore(model: keras.Model, windows: RandomWindows, state: State) -> None:
    model.optimizer.build(model.trainable_variables)
    for variables, values in ((model.variables, state.variables), (model.optimizer.variables, state.optimizer)):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    windows.go_to(len(state.history))


class _Stopping(keras.callbacks.EarlyStopping):  # type: ignore[misc]  # keras is not typed
    """Early stopping that goes on where it was."""

    def __init__(self, patience: int, known: Patience | None) -> None:
        super().__init__("val_loss", patience=patience, restore_best_weights=True)
        self._known = known

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        if self._known is not None:
            self.wait, self.best, self.best_epoch = self._known.wait, self._known.best, self._known.best_epoch
            self.best_weights = list(self._known.best_weights)

    @property
    def known(self) -> Patience | None:
        """What it knows now."""
        best: Any = self.best_weights
        if best is None:
            return None
        return Patience(wait=self.wait, best=float(self.best), best_epoch=self.best_epoch, best_weights=tuple(best))


class _Report(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Collects the logs of Keras as `Epoch`s."""

    def __init__(self, epochs: int, on_epoch: Callable[[Epoch], None], *, history: tuple[Epoch, ...]) -> None:
        super().__init__()
        self.history = list(history)
        self._epochs = epochs
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self.history.append(
            Epoch(
                number=epoch + 1,
                of=self._epochs,
                loss=float(logs["loss"]),
                accuracy=float(logs["accuracy"]),
                val_loss=logs.get("val_loss"),
                val_accuracy=logs.get("val_accuracy"),
            )
        )
        self._on_epoch(self.history[-1])


class _CheckpointWriter(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Stores the state after each epoch."""

    def __init__(self, checkpoint: Checkpoint, report: _Report, stopping: _Stopping | None) -> None:
        super().__init__()
        self._checkpoint, self._report, self._stopping = checkpoint, report, stopping

    def on_epoch_end(self, _epoch: int, _logs: dict[str, float] | None = None) -> None:
        model: Any = self.model
        self._checkpoint.write(
            State(
                history=tuple(self._report.history),
                is_over=bool(model.stop_training),
                variables=tuple(np.asarray(each) for each in model.variables),
                optimizer=tuple(np.asarray(each) for each in model.optimizer.variables),
                patience=self._stopping.known if self._stopping else None,
            )
        )
