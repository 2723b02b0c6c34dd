"""What the demo trains: the reference network, small enough to learn eight classes of motion in two minutes on two cores."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from convert.clips import ClipSet, decode_all, find_clips
from convert.demo.dataset import Dataset
from convert.progress import Progress
from convert.training.augment import Augmentation
from convert.training.console import epochs_bar
from convert.training.fit import FitOptions, TrainedModel, save, train
from convert.training.models import ModelOptions
from edgevid.bundle.manifest import Window
from edgevid.events.rule import DecisionRule
from edgevid.frames.preprocess import InputSpec
from edgevid.synthetic.gestures import BACKGROUND

# A hand that comes, goes or finishes a circle looks for a moment like a swipe: ask for more certainty, and for longer, than the default rule.
RULE = DecisionRule(smoothing_s=0.3, enter=0.7, exit=0.4, min_duration_s=0.2, cooldown_s=0.3, background=(BACKGROUND,))


def train_options(*, epochs: int, seed: int = 0) -> FitOptions:
    """Give the demo's way of training.

    Args:
        epochs: Passes over the clips, one random window of each in a pass.
        seed: Draws weights and windows.

    Returns:
        The options.
    """
    return FitOptions(
        # The clips are three times as wide: the mean of the pixels that become one also takes out most of the noise.
        input=InputSpec(height=48, width=48, channels=3, interpolation="area"),
        window=Window(frames=16, interval_s=0.1),
        model=ModelOptions(filters=(12, 24, 32, 40), features=48, units=32, dropout=0.2),
        # The clips vary by themselves in size, place, light and speed; a little more is left to the training.
        augmentation=Augmentation(shift=0.04, scale=1.08, rotation_deg=4.0, brightness=0.05, contrast=1.15, speed=1.08),
        epochs=epochs,
        windows_per_clip=1,
        batch=32,
        learning_rate=3e-3,
        patience=epochs,
        background=BACKGROUND,
        seed=seed,
    )


def train_gestures(dataset: Dataset, out: Path, options: FitOptions, progress: Progress) -> TrainedModel:
    """Train on a rendered data set and write the model.

    Args:
        dataset: Complete.
        out: The `.keras` file to write.
        options: What `train_options` gave.
        progress: Told how far it is.

    Returns:
        The model, with its metrics on the validation clips.
    """
    training, validation = (_read(dataset.root / split, options.input, progress) for split in ("train", "validation"))
    progress.step(f"training on {len(training.clips)} clips")
    with epochs_bar() as on_epoch:
        trained = train(training, options, validation=validation, on_epoch=on_epoch)
    trained = dataclasses.replace(trained, info=dataclasses.replace(trained.info, decision=RULE))
    save(trained, out)
    return trained


def _read(folder: Path, spec: InputSpec, progress: Progress) -> ClipSet:
    return decode_all(
        find_clips(folder), spec, progress=lambda refs: iter(progress.track(refs, f"reading {folder.name} clips"))
    )
