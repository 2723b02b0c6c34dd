"""Windows of clips as a network is fed them in training and validation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from convert.clips import Clip, centre_window, to_real, window_indices
from convert.training.augment import Augmentation, draw
from edgevid.bundle.manifest import Window
from edgevid.frames import Array, Pixels
from edgevid.frames.preprocess import InputSpec


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the windows of clips are to look like.

    Attributes:
        labels: The classes, in the order of the scores.
        window: The model's view of time.
        input: What it expects of a frame.
    """

    labels: tuple[str, ...]
    window: Window
    input: InputSpec

    def batch(self, windows: Sequence[Pixels], labels: Sequence[str]) -> tuple[Array, Array]:
        """Put windows together as a network is fed them.

        Args:
            windows: (T, H, W, C) uint8 each.
            labels: The class of each.

        Returns:
            (B, T, H, W, C) float32 pixels in the training range and (B, classes) float32 targets, one-hot.
        """
        targets = np.eye(len(self.labels), dtype=np.float32)[[self.labels.index(label) for label in labels]]
        return to_real(np.stack(windows), self.input), targets


class RandomWindows(keras.utils.PyDataset):  # type: ignore[misc]  # keras is not typed
    """Random windows of clips, varied once a clip; every epoch draws anew, and the same seed draws the same.

    Args:
        clips: Labelled clips.
        task: What windows look like.
        augmentation: How far clips vary.
        windows_per_clip: Windows taken of each clip in an epoch.
        batch: Windows in a batch.
        seed: Seed of everything drawn.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        task: Task,
        *,
        augmentation: Augmentation,
        windows_per_clip: int,
        batch: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._clips = clips
        self._task = task
        self._augmentation = augmentation
        self._batch = batch
        self._seed = seed
        self._epoch = 0
        self._windows = len(clips) * windows_per_clip
        self._order = self._shuffled()

    def __len__(self) -> int:
        """Count the batches of an epoch; a last one that is not full is left out, unless it is the only one."""
        return max(1, self._windows // self._batch)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Give one batch.

        Args:
            index: Its place in the epoch.

        Returns:
            See `Task.batch`.
        """
        windows, labels = zip(
            *(self._vary(int(place)) for place in self._order[index * self._batch : (index + 1) * self._batch]),
            strict=True,
        )
        return self._task.batch(windows, labels)

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> Array:
        return np.random.default_rng((self._seed, self._epoch)).permutation(self._windows)

    def _vary(self, place: int) -> tuple[Pixels, str]:
        """Draw a window and its variation. Chance depends on seed, epoch and place alone, so batches may be made in any order."""
        rng = np.random.default_rng((self._seed, self._epoch, place))
        clip = self._clips[place % len(self._clips)]
        label = str(clip.ref.label)
        variation = draw(self._augmentation, rng, label=label)
        frames = variation.apply(random_window(clip, self._task.window, rng, speed=variation.speed))
        return frames, self._augmentation.flip[label] if variation.mirrored else label


class CentreWindows(keras.utils.PyDataset):  # type: ignore[misc]  # keras is not typed
    """The window in the middle of each clip, as it is: what validation looks at.

    Args:
        clips: Labelled clips.
        task: What windows look like.
        batch: Windows in a batch.
    """

    def __init__(self, clips: Sequence[Clip], task: Task, *, batch: int) -> None:
        super().__init__()
        self._clips = clips
        self._task = task
        self._batch = batch

    def __len__(self) -> int:
        """Count the batches, the last of which may be smaller."""
        return math.ceil(len(self._clips) / self._batch)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Give one batch.

        Args:
            index: Its place.

        Returns:
            See `Task.batch`.
        """
        chosen = self._clips[index * self._batch : (index + 1) * self._batch]
        return self._task.batch(
            [centre_window(clip, self._task.window) for clip in chosen], [str(clip.ref.label) for clip in chosen]
        )


def random_window(clip: Clip, window: Window, rng: np.random.Generator, *, speed: float) -> Array:
    """Take a window that begins anywhere it still fits.

    Args:
        clip: The clip.
        window: The model's view of time.
        rng: Source of chance.
        speed: Factor on the sampling interval.

    Returns:
        (T, *frame) of the clip's type; a clip shorter than the window begins at its first frame and holds its last.
    """
    paced = dataclasses.replace(window, interval_s=window.interval_s * speed)
    latest_ns = clip.timestamps_ns[-1] - round((paced.frames - 1) * paced.interval_s * 1e9)
    starts = max(1, int(np.searchsorted(clip.timestamps_ns, latest_ns, side="right")))
    return clip.frames[window_indices(clip, paced, start=int(rng.integers(starts)))]
