"""Training of the reference network on decoded clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from convert.clips import Clip, ClipSet
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.splits.holdout import check_classes, split
from convert.training.augment import Augmentation
from convert.training.cross_validation import CrossValidation
from convert.training.metrics import Evaluation, check_labels, evaluate, keras_scorer
from convert.training.models import ModelOptions, build
from convert.training.transfer_facts import TransferFacts
from convert.training.windows import CentreWindows, RandomWindows, Task
from convert.training_info import TrainingInfo, write_info
from edgevid.atomic import check_folder, replacing
from edgevid.bundle.manifest import Window
from edgevid.errors import ModelError, UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec

# In this fraction of the steps the learning rate rises to its peak, from a twentieth of it: Adam's
# first estimates of the gradient are poor, and a full step on them would do harm.
_WARM_UP, _WARM_UP_DIVISOR = 0.05, 20


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of training, for code that has decoded the clips.

    Attributes:
        input: Input frames of the network.
        window: Window of the network.
        model: Shape of the network.
        augmentation: Limits of the variation of clips.
        epochs: Largest number of epochs.
        windows_per_clip: Number of random windows of each clip in an epoch.
        batch: Number of windows in a step.
        learning_rate: Peak of Adam's learning rate, which rises first and then falls along a
            cosine.
        clip_norm: Largest norm of the gradient of one variable.
        label_smoothing: Probability that is moved from the true class to all classes.
        balanced: Whether an epoch has as many windows of every class; else of every clip.
        val_fraction: Fraction of the groups that is held out, or of the clips if they have no
            groups; 0 to below 1, and 0 holds nothing out.
        patience: Number of epochs without a lower validation loss after which training ends.
        seed: Seed of weights, split, windows and variations.
        background: A class that is never an event.
        tensorboard: Folder for TensorBoard's logs; None for no logs.

    Raises:
        UsageError: An option is out of range.
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
    balanced: bool = False
    val_fraction: float = 0.2
    patience: int = 30
    seed: int = 0
    background: str | None = None
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "windows_per_clip", "batch", "patience"):
            value = getattr(self, name)
            UsageError.unless(value >= 1, expected=f"at least 1 for {name.replace('_', ' ')}", got=value)
        UsageError.unless(
            0 <= self.val_fraction < 1, expected="a fraction to hold out, 0 to below 1", got=self.val_fraction
        )
        UsageError.unless(self.learning_rate > 0, expected="a learning rate above 0", got=self.learning_rate)


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Metrics of one epoch.

    Attributes:
        number: Number of the epoch, from 1.
        of: Largest number of epochs.
        loss: Mean loss over the varied training windows.
        accuracy: Fraction of the training windows with the correct answer.
        val_loss: Loss over the middle windows of the held-out clips; None if nothing is held out.
        val_accuracy: Fraction of these windows with the correct answer; None if nothing is held
            out.
    """

    number: int
    of: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trained network with its history and its metrics.

    Attributes:
        model: The network, not compiled. `TimeDistributed` wraps each layer of its encoder.
        info: Labels, window, input and decision rule, which the file of the model carries.
        history: One entry per epoch.
        evaluation: Metrics on the held-out clips; None if nothing is held out.
        cross_validation: Answers to clips that were held out in turn; None without folds.
        transfer: How a head was chosen for a frozen encoder; None for the reference network.
        notes: What a reader of the metrics should know, one line each.
    """

    model: keras.Model
    info: TrainingInfo
    history: tuple[Epoch, ...]
    evaluation: Evaluation | None
    cross_validation: CrossValidation | None = None
    transfer: TransferFacts | None = None
    notes: tuple[str, ...] = ()


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
        options: Options of training.
        validation: Clips to hold out, all of `clips` being trained on. None holds out a part of
            `clips`.
        on_epoch: Called at the end of each epoch.

    Returns:
        The network. Its weights are those of the epoch with the lowest validation loss, or of the
        last epoch if nothing is held out.

    Raises:
        ClipsError: No classifier can be trained on the clips.
        UsageError: The options name an unknown class, or do not fit the window or the frames.
        ModelError: Training diverged.
    """
    import_tensorflow()
    labels = check_classes(clips)
    _check_names(options, labels)
    if validation is None:
        training, held_out = split(clips.clips, fraction=options.val_fraction, seed=options.seed)
    else:
        training, held_out = clips.clips, validation.clips
    check_labels(held_out, labels)
    # Before the network is built: the seed also draws its weights.
    keras.utils.set_random_seed(options.seed)
    network = build(options.model, shape=(options.window.frames, *options.input.shape), classes=len(labels))
    task = Task(labels=labels, window=options.window, input=options.input)
    windows = _training_windows(training, task, options)
    middles = CentreWindows(held_out, task, batch=options.batch) if held_out else None
    history = _fit(network.trainer, windows, middles, options=options, on_epoch=on_epoch)
    scorer = keras_scorer(network.model, options.input, options.window)
    return TrainedModel(
        model=network.model,
        info=TrainingInfo(labels=labels, window=options.window, input=options.input, decision=_decision(options)),
        history=history,
        evaluation=evaluate(scorer, held_out, labels=labels, window=options.window) if held_out else None,
    )


def save(trained: TrainedModel, path: str | Path) -> None:
    """Write a trained model to a `.keras` file, atomically.

    Args:
        trained: The model and its information.
        path: The file, which ends in `.keras`.

    Raises:
        UsageError: The suffix is different, or the folder is missing.
    """
    check_folder(path, suffix=".keras")
    with replacing(path) as temporary:
        trained.model.save(temporary)
        write_info(temporary, trained.info)


def _check_names(options: FitOptions, labels: tuple[str, ...]) -> None:
    named = {
        *options.augmentation.flip,
        *options.augmentation.flip.values(),
        *([options.background] if options.background is not None else []),
    }
    unknown = sorted(named - set(labels))
    UsageError.unless(
        not unknown, expected=f"classes of the clips ({', '.join(labels)})", got=unknown, found=", ".join(unknown)
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
    callbacks = [*_callbacks(options, has_validation=validation is not None), report]
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


def _training_windows(clips: Sequence[Clip], task: Task, options: FitOptions) -> RandomWindows:
    return RandomWindows(
        clips,
        task,
        augmentation=options.augmentation,
        windows_per_clip=options.windows_per_clip,
        balanced=options.balanced,
        batch=options.batch,
        seed=options.seed,
    )


def _compile(model: keras.Model, options: FitOptions, *, steps: int) -> None:
    warm_up = math.ceil(_WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        options.learning_rate / _WARM_UP_DIVISOR,
        # A single step is all warm-up, and Keras rejects a decay over no steps.
        max(1, steps - warm_up),
        warmup_target=options.learning_rate,
        warmup_steps=warm_up,
    )
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=options.clip_norm),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing),
        metrics=["accuracy"],
    )


def _callbacks(options: FitOptions, *, has_validation: bool) -> list[Any]:
    callbacks: list[Any] = [keras.callbacks.TerminateOnNaN()]
    if has_validation:
        callbacks.append(
            keras.callbacks.EarlyStopping("val_loss", patience=options.patience, restore_best_weights=True)
        )
    if options.tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(options.tensorboard))
    return callbacks


class _Report(keras.callbacks.Callback):  # type: ignore[misc]  # keras is not typed
    """Collects the logs of Keras as `Epoch`s."""

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
