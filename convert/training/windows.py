"""Batches of windows for training and validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import keras
import numpy as np

from convert.clips import Clip, ClipRef, centre_window, random_start, to_real, window_indices
from convert.training.augment import Augmentation, draw
from convert.training.teaching.answers import ClipAnswers, middle_s
from edgevid.bundle.manifest import Window
from edgevid.frames import Array, Pixels
from edgevid.frames.preprocess import InputSpec

_NONE: Mapping[ClipRef, ClipAnswers] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Task:
    """The classes and the input of a network, which determine its batches.

    Attributes:
        labels: Classes, in the order of the scores.
        window: Window of the network.
        input: Input frames of the network.
        is_taught: Whether targets also have a teacher's answers.
    """

    labels: tuple[str, ...]
    window: Window
    input: InputSpec
    is_taught: bool = False

    def batch(
        self, windows: Sequence[Pixels], labels: Sequence[str | None], answers: Sequence[Array | None] = ()
    ) -> tuple[Array, Array]:
        """Stack windows into one batch.

        Args:
            windows: (T, H, W, C) uint8 each.
            labels: The class of each window; None for one without.
            answers: The teacher's scores of each window; empty for none.

        Returns:
            (B, T, H, W, C) float32 pixels in the training range, and (B, classes) float32 one-hot
            targets, or (B, 2, classes) of labels and answers, with zeros for those that are missing.
        """
        targets = np.zeros((len(windows), 2, len(self.labels)), np.float32)
        for row, label in zip(targets, labels, strict=True):
            if label is not None:
                row[0, self.labels.index(label)] = 1.0
        for row, answer in zip(targets, answers, strict=False):
            if answer is not None:
                row[1] = answer
        return to_real(np.stack(windows), self.input), targets if self.is_taught else targets[:, 0]


class RandomWindows(keras.utils.PyDataset):  # type: ignore[misc]  # keras is not typed
    """Random, varied windows of clips. Each epoch draws new ones; equal seeds draw equal ones.

    Args:
        clips: Labelled clips.
        task: Classes and input of the network.
        augmentation: Limits of the variation.
        windows_per_clip: Number of windows of each clip in an epoch; with `balanced`, on average.
        balanced: Whether an epoch has as many windows of every class.
        batch: Number of windows in a batch.
        seed: Seed of order, windows and variations.
        answers: A teacher's answers to the clips; empty for none.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        task: Task,
        *,
        augmentation: Augmentation,
        windows_per_clip: int,
        balanced: bool = False,
        batch: int,
        seed: int,
        answers: Mapping[ClipRef, ClipAnswers] = _NONE,
    ) -> None:
        super().__init__()
        self._clips = clips
        self._task = task
        self._answers = answers
        self._augmentation = augmentation
        self._batch = batch
        self._seed = seed
        self._epoch = 0
        self._windows = len(clips) * windows_per_clip
        # The clip of each window.
        self._clip_of = _class_by_class(clips, self._windows) if balanced else np.arange(self._windows) % len(clips)
        self._order = self._shuffled()

    def __len__(self) -> int:
        """Return the number of batches in an epoch.

        A partial last batch is dropped, unless it is the only one.
        """
        return max(1, self._windows // self._batch)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Return one batch, as `Task.batch` does.

        Args:
            index: Position in the epoch.
        """
        return self._drawn(self.numbers_of(index))

    def numbers_of(self, index: int) -> Array:
        """Return the numbers of the windows of a batch."""
        return self._order[index * self._batch : (index + 1) * self._batch]

    def share(self, index: int, place: int, of: int) -> tuple[Array, Array]:
        """Return one row of a batch after the other, at a fixed distance.

        Args:
            index: Position in the epoch.
            place: The first of the rows.
            of: Distance between two of them.
        """
        return self._drawn(self.numbers_of(index)[place::of])

    def _drawn(self, numbers: Array) -> tuple[Array, Array]:
        windows, labels, answers = zip(*(self._draw(int(number)) for number in numbers), strict=True)
        return self._task.batch(windows, labels, answers)

    def on_epoch_end(self) -> None:
        """Shuffle the windows for the next epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def go_to(self, epoch: int) -> None:
        """Draw the windows of an epoch next.

        Args:
            epoch: Number of the epoch, from 0.
        """
        self._epoch = epoch
        self._order = self._shuffled()

    def _shuffled(self) -> Array:
        return np.random.default_rng((self._seed, self._epoch)).permutation(self._windows)

    def _draw(self, number: int) -> tuple[Pixels, str | None, Array | None]:
        """Draw a window with its variation, and return it with the class that it shows and the teacher's answer."""
        # A generator for each window: Keras may request the batches of an epoch in any order.
        rng = np.random.default_rng((self._seed, self._epoch, number))
        clip = self._clips[self._clip_of[number]]
        label = clip.ref.label
        # Without a class it is not known what the mirror image shows, so it is never mirrored.
        variation = draw(self._augmentation, rng, label=label or "")
        paced, start = random_start(clip, self._task.window, rng, speed=variation.speed)
        frames = variation.apply(clip.frames[window_indices(clip, paced, start=start)])
        answer = self._answers[clip.ref].at(middle_s(clip, paced, start)) if self._answers else None
        if not variation.mirrored or label is None:
            return frames, label, answer
        return frames, self._augmentation.flip[label], None if answer is None else self._mirrored(answer)

    def _mirrored(self, answer: Array) -> Array:
        """Return a teacher's scores with those of classes exchanged that are each other's mirror image."""
        labels, flip = self._task.labels, self._augmentation.flip
        return answer[[labels.index(flip.get(label, label)) for label in labels]]


def _class_by_class(clips: Sequence[Clip], windows: int) -> Array:
    """Return the clip of each window: the classes in turn, and the clips of each in turn."""
    labels = [str(clip.ref.label) for clip in clips]
    by_class = [[place for place, label in enumerate(labels) if label == each] for each in sorted(set(labels))]
    rounds, classes = np.divmod(np.arange(windows), len(by_class))
    return np.array([by_class[one][turn % len(by_class[one])] for turn, one in zip(rounds, classes, strict=True)])


class CentreWindows(keras.utils.PyDataset):  # type: ignore[misc]  # keras is not typed
    """The middle window of each clip, unvaried, for validation.

    Args:
        clips: Labelled clips.
        task: Classes and input of the network.
        batch: Number of windows in a batch.
    """

    def __init__(self, clips: Sequence[Clip], task: Task, *, batch: int) -> None:
        super().__init__()
        self._clips = clips
        self._task = task
        self._batch = batch

    def __len__(self) -> int:
        """Return the number of batches. The last one may be smaller."""
        return math.ceil(len(self._clips) / self._batch)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """Return one batch, as `Task.batch` does.

        Args:
            index: Position of the batch.
        """
        clips = self._clips[index * self._batch : (index + 1) * self._batch]
        windows = [centre_window(clip, self._task.window) for clip in clips]
        return self._task.batch(windows, [str(clip.ref.label) for clip in clips])
