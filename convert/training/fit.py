"""Training of the reference network on decoded clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import keras

from convert.clips import Clip, ClipSet
from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.splits.holdout import check_classes, split
from convert.training.augment import Augmentation
from convert.training.cross_validation import CrossValidation
from convert.training.fitting.checkpoint import Checkpoint
from convert.training.fitting.epoch import Epoch
from convert.training.fitting.loop import fit_network
from convert.training.fitting.loop_options import LoopOptions
from convert.training.metrics import Evaluation, check_labels, evaluate, keras_scorer
from convert.training.models import ModelOptions, build
from convert.training.teaching.answers import Lesson
from convert.training.teaching.distillation import Distillation
from convert.training.transfer_facts import TransferFacts
from convert.training.windows import CentreWindows, RandomWindows, Task
from convert.training_info import TrainingInfo, write_info
from edgevid.atomic import check_folder, replacing
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.errors import ClipsError, UsageError
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec


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
        checkpoint: Folder for the state after each epoch, from which the same training goes on; None
            keeps none.
        distillation: How much the answers of a teacher count; None without one.
        framing: What was seen of the pictures of the clips, for the record.

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
    checkpoint: Path | None = None
    distillation: Distillation | None = None
    framing: Framing = PLAIN

    def __post_init__(self) -> None:
        for name in ("epochs", "windows_per_clip", "batch", "patience"):
            value = getattr(self, name)
            UsageError.unless(value >= 1, expected=f"at least 1 for {name.replace('_', ' ')}", got=value)
        UsageError.unless(
            0 <= self.val_fraction < 1, expected="a fraction to hold out, 0 to below 1", got=self.val_fraction
        )
        UsageError.unless(self.learning_rate > 0, expected="a learning rate above 0", got=self.learning_rate)


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
    lesson: Lesson | None = None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> TrainedModel:
    """Train the reference network.

    Args:
        clips: Labelled clips, prepared for `options.input`.
        options: Options of training.
        validation: Clips to hold out, all of `clips` being trained on. None holds out a part of
            `clips`.
        lesson: A teacher's answers, with `options.distillation`; None without one.
        on_epoch: Called at the end of each epoch.

    Returns:
        The network. Its weights are those of the epoch with the lowest validation loss, or of the
        last epoch if nothing is held out.

    Raises:
        ClipsError: No classifier can be trained on the clips, or an unlabelled clip is held out as well.
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
    if lesson is not None:
        _check_unseen(lesson.unlabelled, held_out)
        training = (*training, *lesson.unlabelled)
    # Before the network is built: the seed also draws its weights.
    keras.utils.set_random_seed(options.seed)
    network = build(options.model, shape=(options.window.frames, *options.input.shape), classes=len(labels))
    task = Task(labels=labels, window=options.window, input=options.input, is_taught=lesson is not None)
    windows = _training_windows(training, task, options, lesson)
    middles = CentreWindows(held_out, task, batch=options.batch) if held_out else None
    history = fit_network(
        network.trainer,
        windows,
        middles,
        options=_loop(options),
        checkpoint=_checkpoint(training, held_out, options),
        on_epoch=on_epoch,
        key=_agreement(training, held_out, options),
    )
    scorer = keras_scorer(network.model, options.input, options.window)
    return TrainedModel(
        model=network.model,
        info=TrainingInfo(
            labels=labels,
            window=options.window,
            input=options.input,
            decision=_decision(options),
            framing=options.framing,
        ),
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


def _loop(options: FitOptions) -> LoopOptions:
    return LoopOptions(**{item.name: getattr(options, item.name) for item in fields(LoopOptions)})


def _checkpoint(training: Sequence[Clip], held_out: Sequence[Clip], options: FitOptions) -> Checkpoint | None:
    """Return the file of this training: of these options, these clips and this version of Keras."""
    if options.checkpoint is None:
        return None
    settings = replace(options, checkpoint=None, tensorboard=None)
    clips = [
        [str(clip.ref), str(clip.ref.label), len(clip.frames), int(clip.timestamps_ns[-1])]
        for clip in (*training, *held_out)
    ]
    return Checkpoint(options.checkpoint, repr((settings, clips, len(held_out), keras.__version__)))


def _agreement(training: Sequence[Clip], held_out: Sequence[Clip], options: FitOptions) -> str:
    """Return all that workers have to agree on; their clips may be in different folders."""
    settings = replace(options, checkpoint=None, tensorboard=None)
    clips = [
        [clip.ref.path.name, str(clip.ref.segment), str(clip.ref.label), len(clip.frames), int(clip.timestamps_ns[-1])]
        for clip in (*training, *held_out)
    ]
    return repr((settings, clips, len(held_out), keras.__version__))


def _check_unseen(unlabelled: Sequence[Clip], held_out: Sequence[Clip]) -> None:
    """Reject clips that teach without a label and measure with one."""
    measured = {clip.ref.path.resolve() for clip in held_out}
    both = [clip.ref.path for clip in unlabelled if clip.ref.path.resolve() in measured]
    if both:
        raise ClipsError(
            expected="unlabelled clips that are not held out",
            got=len(both),
            found=f"{len(both)} that are, such as {both[0]}",
            hint="Remove them from --unlabelled, or use --val-fraction 0.",
            path=both[0],
        )


def _training_windows(clips: Sequence[Clip], task: Task, options: FitOptions, lesson: Lesson | None) -> RandomWindows:
    return RandomWindows(
        clips,
        task,
        augmentation=options.augmentation,
        windows_per_clip=options.windows_per_clip,
        balanced=options.balanced,
        batch=options.batch,
        seed=options.seed,
        answers={} if lesson is None else lesson.answers,
    )
