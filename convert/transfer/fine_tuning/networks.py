"""The last blocks of an encoder and a head as one network over maps, and its training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import keras
import numpy as np

from convert.encoders.last_blocks import CutEncoder
from convert.transfer.candidates import Candidate
from convert.transfer.feature_bank import FeatureBank
from convert.transfer.fine_tuning.maps import WindowMaps
from convert.transfer.head_fitting.heads import Head, balanced_weights
from edgevid.errors import ModelError
from edgevid.frames import Array

LEARNING_RATE = 1e-4
_CLIP_NORM, _BATCH = 1.0, 16


@dataclass(frozen=True, eq=False)
class TunedNetwork:
    """Last blocks and head, connected.

    Attributes:
        candidate: Streams and kind of the head.
        whole: From maps (B, streams, T', *map) to probabilities (B, classes).
        tail: The last blocks, from maps (B, *map) to features.
        head: From features (B, T', F) to probabilities.
    """

    candidate: Candidate
    whole: keras.Model
    tail: keras.Model
    head: keras.Model

    @property
    def weights(self) -> int:
        """Number of trained weights of the encoder."""
        return sum(math.prod(variable.shape) for variable in self.tail.trainable_variables)

    def logits(self, maps: WindowMaps, clips: Array) -> Array:
        """Return the logits (n, classes) of the middle windows of some clips."""
        rows = [
            np.asarray(self.whole(maps.read(part * maps.windows, self.candidate.streams), training=False))
            for part in np.split(clips, range(_BATCH, len(clips), _BATCH))
        ]
        # Up to a constant of each row, which softmax takes away again.
        return np.log(np.maximum(np.concatenate(rows).astype(np.float64), 1e-12))

    def divide_logits(self, temperature: float) -> None:
        """Divide the logits of the head by a temperature."""
        scores = self.head.get_layer("scores")
        scores.set_weights([weights / temperature for weights in scores.get_weights()])


def connect(cut: CutEncoder, candidate: Candidate, head: Head, maps: WindowMaps) -> TunedNetwork:
    """Connect a fitted head with a copy of the last blocks.

    Args:
        cut: The encoder.
        candidate: Streams of the head.
        head: The head. Its recurrent or convolutional layers are trained in place.
        maps: Maps of the windows, for their shape.
    """
    tail = cut.new_tail()
    count, steps, *shape = maps.read(np.array([0]), candidate.streams).shape[1:]
    inputs = keras.Input((count, steps, *shape), name="maps")
    features = tail(keras.ops.reshape(inputs, (-1, *shape)))
    width = features.shape[-1]
    by_step = keras.ops.transpose(keras.ops.reshape(features, (-1, count, steps, width)), (0, 2, 1, 3))
    seen = keras.Input((steps, count * width), name="features")
    scores = keras.Model(seen, head.connect(seen), name="head")
    whole = keras.Model(inputs, scores(keras.ops.reshape(by_step, (-1, steps, count * width))))
    return TunedNetwork(candidate, whole, tail, scores)


def train_epochs(
    network: TunedNetwork,
    bank: FeatureBank,
    maps: WindowMaps,
    clips: Array,
    *,
    epochs: Iterable[int],
    label_smoothing: float,
    seed: int,
) -> Iterator[int]:
    """Train a network epoch by epoch.

    Args:
        network: The network, which is trained in place.
        bank: Classes of the windows.
        maps: Maps of the windows.
        clips: Indices of the clips to learn from.
        epochs: Numbers of the epochs, from 0.
        label_smoothing: Probability that is moved from the true class to all classes.
        seed: Seed of order and dropout.

    Yields:
        The number of each epoch after it.

    Raises:
        ModelError: The training diverged.
    """
    keras.utils.set_random_seed(seed)
    batches = _MapBatches(bank, maps, clips, network.candidate, seed=seed)
    network.whole.compile(
        keras.optimizers.Adam(LEARNING_RATE, clipnorm=_CLIP_NORM),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
    )
    for epoch in epochs:
        batches.epoch = epoch
        (loss,) = network.whole.fit(batches, shuffle=False, verbose=0).history["loss"]
        ModelError.unless(math.isfinite(loss), expected="a finite loss of fine-tuning", got=loss)
        yield epoch


class _MapBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras is not typed
    """All windows of some clips in a new order for each epoch. Equal seeds give equal orders."""

    def __init__(self, bank: FeatureBank, maps: WindowMaps, clips: Array, candidate: Candidate, *, seed: int) -> None:
        super().__init__()
        self.epoch = 0
        self._maps, self._streams, self._seed = maps, candidate.streams, seed
        self._windows = (clips[:, None] * maps.windows + np.arange(maps.windows)).reshape(-1)
        classes = bank.shown[clips].reshape(-1)
        self._targets = np.eye(len(bank.classes), dtype=np.float32)[classes]
        self._weights = balanced_weights(classes, np.repeat(clips, maps.windows)).astype(np.float32)

    def __len__(self) -> int:
        """Return the number of batches. The last one may be smaller."""
        return math.ceil(len(self._windows) / _BATCH)

    def __getitem__(self, index: int) -> tuple[Array, Array, Array]:
        """Return maps, targets and weights of a batch."""
        order = np.random.default_rng((self._seed, self.epoch)).permutation(len(self._windows))
        places = order[index * _BATCH : (index + 1) * _BATCH]
        maps = self._maps.read(self._windows[places], self._streams)
        return maps, self._targets[places], self._weights[places]
