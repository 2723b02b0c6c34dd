"""What a person may say of a training: the options of `edgevid train`, one to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from convert.training.holdout import grouper
from edgevid.bundle.manifest import Window
from edgevid.errors import ManifestInvalid, UsageError
from edgevid.frames.preprocess import InputSpec, ResizeRule

if TYPE_CHECKING:
    from convert.training.fit import FitOptions


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How to train the reference network.

    Attributes:
        frames: Frames in a window.
        interval: Time between two of them, in seconds.
        size: (width, height) of a frame in pixels.
        color: "rgb", "bgr" or "gray".
        resize: How other aspect ratios fit: "stretch", "crop" or "letterbox".
        motion: Whether the network sees differences of frames, not frames.
        pool: "none", or "columns" to look at what moves at which height, wherever across the picture.
        rnn: Its recurrent layer, "lstm" or "gru".
        background: A class that is never an event.
        flip: Classes that may be mirrored: "none", "all", or a list as "wave,left=right".
        augment: Whether clips vary in training beyond where a window begins.
        windows_per_clip: Random windows of each clip in an epoch.
        group_by: What is held out together: "subject", "none", or a regular expression with one group, searched in the file's name.
        val_fraction: Share of the groups or clips that is held out; 0 for none.
        epochs: Passes over the clips, at most.
        patience: Epochs without a better held-out loss after which training ends.
        batch: Windows in a step.
        learning_rate: Adam's, at its peak.
        seed: Seed of everything random.
        tensorboard: Folder for TensorBoard's logs.
    """

    frames: int = 16
    interval: float = 0.1
    size: tuple[int, int] = (64, 64)
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    resize: ResizeRule = "stretch"
    motion: bool = True
    pool: Literal["none", "columns"] = "none"
    rnn: Literal["lstm", "gru"] = "lstm"
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
    seed: int = 0
    tensorboard: Path | None = None

    def __post_init__(self) -> None:
        grouper(self.group_by)
        _ = self.window

    @property
    def input(self) -> InputSpec:
        """What the network expects of a frame."""
        width, height = self.size
        return InputSpec(
            width=width, height=height, channels=1 if self.color == "gray" else 3, color=self.color, resize=self.resize
        )

    @property
    def window(self) -> Window:
        """The network's view of time.

        Raises:
            UsageError: `frames` or `interval` is out of range.
        """
        try:
            return Window(frames=self.frames, interval_s=self.interval)
        except ManifestInvalid as error:
            raise UsageError(expected=error.expected, got=error.got, hint="Change --frames or --interval.") from error

    def for_labels(self, labels: Sequence[str]) -> FitOptions:
        """Return the options as training takes them.

        Args:
            labels: The clips' classes, which `flip` names.

        Returns:
            Options for `convert.training.fit.train`.

        Raises:
            UsageError: An option is out of range, or `flip` names no class.
        """
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
            val_fraction=self.val_fraction,
            patience=self.patience,
            seed=self.seed,
            background=self.background,
            tensorboard=self.tensorboard,
        )
