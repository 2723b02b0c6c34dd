"""The options of `convert.train` and `edgevid train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convert.clips import Reading
from convert.splits.folds import Folds
from convert.splits.holdout import grouper
from convert.training.options.checks import reject_stated, reject_unfit
from convert.training.options.names import AUTO, QUICK, ROWS, SMALL
from convert.training.teaching.distillation import Distillation
from edgevid.bundle.framing import Follow, Framing
from edgevid.bundle.manifest import Window
from edgevid.errors import ManifestInvalid, UsageError
from edgevid.frames.orientation import Flip, Rotation
from edgevid.frames.preprocess import InputSpec, Kind, ResizeRule

if TYPE_CHECKING:
    from convert.training.fit import FitOptions


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options for training a classifier, named as those of `edgevid train`.

    Attributes:
        frames: Number of frames in a window.
        interval: Time between two frames of a window, in seconds.
        size: (width, height) of a frame in pixels.
        color: Channels of a frame: "rgb", "bgr" or "gray".
        resize: Adapts frames of other aspect ratios: "stretch", "crop" or "letterbox".
        motion: Whether the network sees differences of frames instead of frames.
        pool: "columns" ignores the horizontal position of a movement; "none" keeps it.
        rnn: The recurrent layer of the small encoder, "lstm" or "gru".
        encoder: "small", which is trained from scratch; "efficientnet-lite0" or
            "efficientnet-lite0@SIZE", pretrained on ImageNet and frozen; or the path of a `.keras` file
            with a network from one frame to features, frozen too. None is "small" for pictures; rows
            of features take none.
        range: Pixels 0 and 255 in the training of an encoder's file, (low, high); None for 0 to 1, or
            0 to 255 if its first layers scale pixels themselves.
        streams: What a frozen encoder, or the head of rows, sees: "frames", "differences", both with a
            comma between, or "auto" to choose by inner folds; for rows it is "frames".
        head: What reads the features of a frozen encoder: "mean", "stats", "lstm", "gru", "tcn",
            "attention" or "bilstm", or "auto" to choose between the first two by inner folds.
        loss: "every-frame" teaches a causal head to answer at every frame of a window, "last" at its
            end alone.
        label_smoothing: Probability that is moved from the true class to all classes, 0 to below 1.
            Linear heads have none.
        mix_up: Parameter of the Beta distribution with which windows of features are mixed, for heads
            with epochs; 0 mixes none.
        fine_tune: Last blocks of a pretrained encoder that are trained with the head after it was fitted; 0 for none.
            A block of EfficientNet-Lite0 is an inverted residual, of another network a layer with weights.
        folds: Number of folds that are held out in turn, "groups" for one fold a group, 0 for none.
            None is up to 5 with a frozen encoder or rows, and 0 with the small one.
        cache: Folder for the features of a frozen encoder; None for the user's cache.
        workers: Processes that encode clips with a frozen encoder, each with an interpreter of its own.
        mine: Folder of long recordings whose false alarms become clips of background; None for none.
        truth: What happens in them; None if they show no event besides those of the clips.
        mine_rounds: How often false alarms are searched and the head is fitted anew; None for 2.
        background: A class that is never an event.
        flip: Classes that may be mirrored: "none", "all", or a list such as "wave,left=right".
        augment: Whether clips vary in training. Without it, only the start of a window is random.
        windows_per_clip: Number of random windows of each clip in an epoch.
        group_by: Clips that are held out together: "subject", "none", or a regular expression with
            one group, which is searched in the file name.
        val_fraction: Fraction of the groups or clips that is held out, 0 to below 1; 0 holds
            nothing out.
        epochs: Largest number of epochs.
        patience: Number of epochs without a lower loss on the held-out clips after which training
            ends.
        batch: Number of windows in a step.
        learning_rate: Peak of Adam's learning rate.
        balance: "classes" draws as many windows of every class, "clips" as many of every clip. A head
            on a frozen encoder always weights classes equally.
        seed: Seed of weights, split, windows and variations.
        videos: Folder that a list's paths are relative to; None for the folder of the list.
        fps: Pictures per second in folders of pictures; None assumes 25, or the rate of a data set.
        rotate: Degrees clockwise by which every picture is turned: 0, 90, 180 or 270.
        flip_pictures: "horizontal", "vertical", "both" or "none", after that.
        region: (x, y, width, height) of the turned pictures in shares of them; None for all of them.
        mask: Polygons (x1, y1, x2, y2, x3, y3, ...) of them in shares, outside of which all is black.
        follow: "person" for a square around a person in that part, or "none".
        allow_duplicates: Whether clips in different groups or splits may be nearly the same.
        tensorboard: Folder for TensorBoard's logs; None for no logs.
        checkpoint: Folder for the state after each epoch, from which the same training goes on after a
            stop; None keeps none. A frozen encoder keeps its features anyway.
        teacher: A larger model of `edgevid train` of the same classes, whose answers the small encoder
            learns as well; None for none.
        unlabelled: With `teacher`, a folder or list of clips on which its answers alone are learned.
        temperature: With `teacher`, softens both answers, at least 1; None for 2.
        teacher_share: With `teacher`, its weight against the label, above 0 to 1; None for 0.7.
        report: The page to write, a `.html` file; None for none.
        learning_curve: Whether to measure also with fewer clips of each class, which takes about
            as long as all folds again, and much less with a linear head. None does so for a page, if
            the head is linear.

    Raises:
        UsageError: `group_by`, `frames`, `interval`, `videos`, `fps` or what is seen of the pictures is
            not legal.
    """

    frames: int = 16
    interval: float = 0.1
    size: tuple[int, int] = (64, 64)
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    resize: ResizeRule = "stretch"
    motion: bool = True
    pool: Literal["none", "columns"] = "none"
    rnn: Literal["lstm", "gru"] = "lstm"
    encoder: str | None = None
    range: tuple[float, float] | None = None
    streams: str = AUTO
    head: str = AUTO
    loss: Literal["every-frame", "last"] = "every-frame"
    label_smoothing: float = 0.05
    mix_up: float = 0.0
    fine_tune: int = 0
    folds: Folds | None = None
    cache: Path | None = None
    workers: int = 1
    mine: Path | None = None
    truth: Path | None = None
    mine_rounds: int | None = None
    background: str | None = None
    flip: str = "none"
    augment: bool = True
    windows_per_clip: int = 4
    group_by: str = "none"
    val_fraction: float = 0.2
    epochs: int = 60
    patience: int = 30
    batch: int = 16
    learning_rate: float = 2e-3
    balance: Literal["clips", "classes"] = "clips"
    seed: int = 0
    videos: Path | None = None
    fps: float | None = None
    rotate: Rotation = 0
    flip_pictures: Flip = "none"
    region: tuple[float, ...] | None = None
    mask: tuple[tuple[float, ...], ...] = ()
    follow: Follow = "none"
    allow_duplicates: bool = False
    tensorboard: Path | None = None
    checkpoint: Path | None = None
    teacher: Path | None = None
    unlabelled: Path | None = None
    temperature: float | None = None
    teacher_share: float | None = None
    report: Path | None = None
    learning_curve: bool | None = None

    def __post_init__(self) -> None:
        # All are built only to reject illegal options before any clip is read.
        grouper(self.group_by)
        _ = self.window, self.reading
        self.framing.check_shares()
        reject_unfit(self)

    def for_kind(self, kind: Kind) -> TrainOptions:
        """Return the options for clips of a kind.

        Args:
            kind: "frames" for pictures, "features" for rows.

        Raises:
            UsageError: An option means nothing for these clips.
        """
        changes: dict[str, Any] = {}
        if kind == "features" and self.encoder != ROWS:
            reject_stated(self, "encoder", "rows of features", "Rows take a head alone, and are not pictures.")
            changes["encoder"] = ROWS
        elif self.encoder is None:
            changes["encoder"] = SMALL
        return replace(self, **changes)

    @property
    def distillation(self) -> Distillation | None:
        """How much the answers of the teacher count; None without one.

        Raises:
            UsageError: `temperature` or `teacher_share` is out of range.
        """
        if self.teacher is None:
            return None
        stated: dict[str, Any] = {"temperature": self.temperature, "share": self.teacher_share}
        return Distillation(**{name: value for name, value in stated.items() if value is not None})

    @property
    def input(self) -> InputSpec:
        """Input frames of the network."""
        width, height = self.size
        channels = 1 if self.color == "gray" else 3
        return InputSpec(width=width, height=height, channels=channels, color=self.color, resize=self.resize)

    @property
    def window(self) -> Window:
        """Window of the network.

        Raises:
            UsageError: `frames` or `interval` is out of range.
        """
        try:
            return Window(frames=self.frames, interval_s=self.interval)
        except ManifestInvalid as error:
            raise UsageError(expected=error.expected, got=error.got, hint="Change --frames or --interval.") from error

    @property
    def has_curve(self) -> bool:
        """Whether folds also learn from fewer clips of each class."""
        if self.learning_curve is not None:
            return self.learning_curve
        return self.report is not None and self.encoder != SMALL and self.head in QUICK and not self.fine_tune

    @property
    def framing(self) -> Framing:
        """What the model sees of the pictures."""
        return Framing(
            rotate=self.rotate, flip=self.flip_pictures, box=self.region, masks=self.mask, follow=self.follow
        )

    @property
    def reading(self) -> Reading:
        """How the clips are read."""
        return Reading(
            videos=self.videos,
            fps=self.fps,
            background=self.background,
            window_s=self.frames * self.interval,
            framing=self.framing,
        )

    def for_labels(self, labels: Sequence[str]) -> FitOptions:
        """Return the options for `convert.training.fit.train`.

        Args:
            labels: All classes of the clips.

        Raises:
            UsageError: An option is out of range, or `flip` names an unknown class.
        """
        # Imported here: they need Keras.
        from convert.training.augment import NONE, Augmentation, parse_flip
        from convert.training.fit import FitOptions
        from convert.training.models import ModelOptions

        flip = parse_flip(self.flip, labels)
        return FitOptions(
            input=self.input,
            window=self.window,
            model=ModelOptions(motion=self.motion, pool=self.pool, rnn=self.rnn),
            augmentation=Augmentation(flip=flip) if self.augment else NONE,
            epochs=self.epochs,
            windows_per_clip=self.windows_per_clip,
            batch=self.batch,
            learning_rate=self.learning_rate,
            label_smoothing=self.label_smoothing,
            balanced=self.balance == "classes",
            val_fraction=self.val_fraction,
            patience=self.patience,
            seed=self.seed,
            background=self.background,
            tensorboard=self.tensorboard,
            checkpoint=self.checkpoint,
            distillation=self.distillation,
            framing=self.framing,
        )
