"""Train the reference network on clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from convert.clips import Clip, ClipSet
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.training.augment import Augmentation
from convert.training.evaluate import Evaluation, check_labels, evaluate, keras_scorer
from convert.training.holdout import check_classes, split
from convert.training.models import ModelOptions, build
from convert.training.windows import CentreWindows, RandomWindows, Task
from convert.training_info import TrainingInfo, write_info
from edgevid.atomic import check_folder, replacing
from edgevid.bundle.manifest import Window
from edgevid.errors import ModelError, UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec

_WARM_UP = 0.05  # fraction of the steps in which the learning rate rises, so that Adam's first estimates do no harm


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to train.

    Attributes:
        input: What the network expects of a frame.
        window: Its view of time.
        model: Its shape.
        augmentation: How far clips vary.
        epochs: Passes over the clips, at most.
        windows_per_clip: Random windows of each clip in a pass.
        batch: Windows in a step.
        learning_rate: Adam's, at its peak; it rises at first and falls along a cosine.
        clip_norm: Greatest norm of one variable's gradient.
        label_smoothing: Probability taken from the right class and spread over all.
        val_fraction: Of the groups, or of the clips where there are none, held out; 0 for none.
        patience: Epochs without a lower validation loss after which training ends.
        seed: Seed of weights, split, windows and variations.
        background: A class that is never an event.
        tensorboard: Folder for TensorBoard's logs.
    """

    input: InputSpec = field(default_factory=lambda: InputSpec(height=64, width=64, channels=3))
    window: Window = field(default_factory=lambda: Window(frames=16, interval_s=0.1))
    model: ModelOptions = field(default_factory=ModelOptions)
    augmentation: Augmentation = field(default_factory=Augmentation)
    epochs: int = 60
    windows_per_clip: int = 4
    batch: int = 16
    learning_rate: float = 2e-3
    clip_norm: float = 1.0
    label_smoothing: float = 0.05
    val_fraction: float = 0.2
    patience: int = 30
    seed: int = 0
    background: str | None = None
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "windows_per_clip", "batch", "patience"):
            if getattr(self, name) < 1:
                raise UsageError(
                    expected=f"at least 1 for {name.replace('_', ' ')}",
                    got=getattr(self, name),
                    found=f"{getattr(self, name)}",
                )
        if not 0 <= self.val_fraction < 1:
            raise UsageError(
                expected="a fraction to hold out of 0 to below 1", got=self.val_fraction, found=f"{self.val_fraction}"
            )
        if not self.learning_rate > 0:
            raise UsageError(expected="a learning rate above 0", got=self.learning_rate, found=f"{self.learning_rate}")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass came to.

    Attributes:
        number: From 1.
        of: Passes asked for.
        loss: Mean loss over the varied training windows.
        accuracy: Fraction of them answered rightly.
        val_loss: Loss over the held-out clips' middle windows; None where nothing is held out.
        val_accuracy: Fraction of them answered rightly.
    """

    number: int
    of: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What training gave.

    Attributes:
        model: The network, not compiled; each layer of the encoder in `TimeDistributed`.
        info: What it was trained on.
        history: One entry a pass.
        evaluation: Metrics on the held-out clips; None where nothing was held out.
    """

    model: keras.Model
    info: TrainingInfo
    history: tuple[Epoch, ...]
    evaluation: Evaluation | None


def train(
    clips: ClipSet,
    options: FitOptions,
    *,
    validation: ClipSet | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> TrainedModel:
    """Train the reference network.

    Args:
        clips: Labelled clips, prepared for `options.input`.
        options: How to train.
        validation: Held-out clips; taken from `clips` by group where None.
        on_epoch: Told of each pass as it ends.

    Returns:
        The network with the weights of the pass with the lowest validation loss, or of the last pass where nothing is held out.

    Raises:
        ClipsError: No classifier can be trained on the clips.
        UsageError: The options do not fit them.
        ModelError: Training diverged.
    """
    import_tensorflow()
    labels = check_classes(clips)
    _check_names(options, labels)
    kept, held = (
        split(clips.clips, fraction=options.val_fraction, seed=options.seed)
        if validation is None
        else (clips.clips, validation.clips)
    )
    check_labels(held, labels)
    keras.utils.set_random_seed(options.seed)
    network = build(options.model, shape=(options.window.frames, *options.input.shape), classes=len(labels))
    windows, middles = _data(kept, held, Task(labels=labels, window=options.window, input=options.input), options)
    history = _fit(network.trainer, windows, middles, options=options, on_epoch=on_epoch)
    scorer = keras_scorer(network.model, options.input, options.window)
    return TrainedModel(
        model=network.model,
        info=TrainingInfo(labels=labels, window=options.window, input=options.input, decision=_decision(options)),
        history=history,
        evaluation=evaluate(scorer, held, labels=labels, window=options.window) if held else None,
    )


def save(trained: TrainedModel, path: str | Path) -> None:
    """Write a trained model as a `.keras` file, whole or not at all.

    Args:
        trained: What training gave.
        path: Where to; ends in `.keras`.

    Raises:
        UsageError: The name ends otherwise, or the folder is not there.
    """
    check_folder(path, suffix=".keras")
    with replacing(path) as beside:
        trained.model.save(beside)
        write_info(beside, trained.info)


def _check_names(options: FitOptions, labels: tuple[str, ...]) -> None:
    named = {
        *options.augmentation.flip,
        *options.augmentation.flip.values(),
        *([options.background] if options.background is not None else []),
    }
    unknown = sorted(named - set(labels))
    if unknown:
        raise UsageError(
            expected=f"classes of the clips ({', '.join(labels)})", got=unknown, found=f"{', '.join(unknown)}"
        )


def _decision(options: FitOptions) -> DecisionRule:
    return DecisionRule(background=() if options.background is None else (options.background,))


def _fit(
    model: keras.Model,
    windows: RandomWindows,
    validation: CentreWindows | None,
    *,
    options: FitOptions,
    on_epoch: Callable[[Epoch], None],
) -> tuple[Epoch, ...]:
    _compile(model, options, steps=options.epochs * len(windows))
    report = _Report(options.epochs, on_epoch)
    callbacks = [*_callbacks(options, held=validation is not None), report]
    model.fit(windows, epochs=options.epochs, verbose=0, validation_data=validation, callbacks=callbacks)
    last = report.history[-1]
    if not math.isfinite(last.loss):
        raise ModelError(
            expected="a finite loss",
            got=last.loss,
            found=f"{last.loss} in epoch {last.number}",
            hint="Lower the learning rate.",
        )
    return tuple(report.history)


def _data(
    kept: Sequence[Clip], held: Sequence[Clip], task: Task, options: FitOptions
) -> tuple[RandomWindows, CentreWindows | None]:
    windows = RandomWindows(
        kept,
        task,
        augmentation=options.augmentation,
        windows_per_clip=options.windows_per_clip,
        batch=options.batch,
        seed=options.seed,
    )
    return windows, CentreWindows(held, task, batch=options.batch) if held else None


def _compile(model: keras.Model, options: FitOptions, *, steps: int) -> None:
    warm_up = math.ceil(_WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        options.learning_rate / 20, max(1, steps - warm_up), warmup_target=options.learning_rate, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=options.clip_norm),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing),
        metrics=["accuracy"],
    )


def _callbacks(options: FitOptions, *, held: bool) -> list[Any]:
    callbacks: list[Any] = [keras.callbacks.TerminateOnNaN()]
    if held:
        callbacks.append(
            keras.callbacks.EarlyStopping("val_loss", patience=options.patience, restore_best_weights=True)
        )
    if options.tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(options.tensorboard))
    return callbacks


class _Report(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Turns Keras' logs into `Epoch`s."""

    def __init__(self, epochs: int, on_epoch: Callable[[Epoch], None]) -> None:
        super().__init__()
        self.history: list[Epoch] = []
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
