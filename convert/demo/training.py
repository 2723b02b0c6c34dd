"""Training of the demo's model.

The reference network is made so small that it learns eight classes of motion in two minutes on two
cores.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from convert.clips import ClipSet, read_folder
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

# A hand that enters, leaves or completes a circle looks like a swipe for a moment. So this rule
# demands a higher score, for longer, than the default rule.
RULE = DecisionRule(smoothing_s=0.3, enter=0.7, exit=0.4, min_duration_s=0.2, cooldown_s=0.3, background=(BACKGROUND,))


def train_options(*, epochs: int, seed: int = 0) -> FitOptions:
    """Return the training options of the demo.

    Args:
        epochs: Number of epochs, with one random window of each clip.
        seed: Seed of weights and windows.
    """
    return FitOptions(
        # The clips are three times as wide. Area interpolation averages the pixels, which also
        # removes most of the noise.
        input=InputSpec(height=48, width=48, channels=3, interpolation="area"),
        window=Window(frames=16, interval_s=0.1),
        model=ModelOptions(filters=(12, 24, 32, 40), features=48, units=32, dropout=0.2),
        # The rendered clips already vary in size, position, light and speed; add only a little.
        augmentation=Augmentation(shift=0.04, scale=1.08, rotation_deg=4.0, brightness=0.05, contrast=1.15, speed=1.08),
        epochs=epochs,
        windows_per_clip=1,
        batch=32,
        learning_rate=3e-3,
        # Never stop early: the epoch with the best validation loss is used anyway.
        patience=epochs,
        background=BACKGROUND,
        seed=seed,
    )


def train_gestures(dataset: Dataset, out: Path, options: FitOptions, progress: Progress) -> TrainedModel:
    """Train on a rendered data set and write the model.

    Args:
        dataset: A complete data set.
        out: The `.keras` file.
        options: Options from `train_options`.
        progress: Shows each step.

    Returns:
        The model, with its metrics on the validation clips.
    """
    training, validation = (_read(dataset.root / split, options.input, progress) for split in ("train", "validation"))
    progress.step(f"training on {len(training.clips)} clips")
    with epochs_bar() as on_epoch:
        trained = train(training, options, validation=validation, on_epoch=on_epoch)
    # `FitOptions` carries only the background of a decision rule.
    trained = dataclasses.replace(trained, info=dataclasses.replace(trained.info, decision=RULE))
    save(trained, out)
    return trained


def _read(folder: Path, spec: InputSpec, progress: Progress) -> ClipSet:
    return read_folder(folder, spec, progress=progress, task=f"reading {folder.name} clips")
