"""Batches in which two windows are mixed, features and targets alike.

Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
"""

from __future__ import annotations

import math

import keras
import numpy as np

from edgevid.frames import Array


class MixedBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras is not typed
    """Shuffled batches; each window is mixed with another one of its batch. Equal seeds give equal batches.

    Args:
        features: (N, T, F).
        targets: (N, ..., classes) one-hot.
        weights: (N, ...) weight of each window, or of each of its frames.
        alpha: Parameter of the Beta distribution of the shares, above 0.
        batch: Number of windows in a batch.
        seed: Seed of order, partners and shares.
    """

    def __init__(self, features: Array, targets: Array, weights: Array, *, alpha: float, batch: int, seed: int) -> None:
        super().__init__()
        self._arrays = (features, targets, weights)
        self._alpha, self._batch, self._seed, self._epoch = alpha, batch, seed, 0

    def __len__(self) -> int:
        """Return the number of batches. The last one may be smaller."""
        return math.ceil(len(self._arrays[0]) / self._batch)

    def __getitem__(self, index: int) -> tuple[Array, Array, Array]:
        """Return features, targets and weights of a batch.

        Args:
            index: Position in the epoch.
        """
        order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._arrays[0]))
        rows = order[index * self._batch : (index + 1) * self._batch]
        rng = np.random.default_rng((self._seed, self._epoch, index))
        partners = rng.permutation(rows)
        shares = rng.beta(self._alpha, self._alpha, len(rows)).astype(np.float32)
        # The nearer one comes first, so that no window is only a partner.
        shares = np.maximum(shares, 1 - shares)
        features, targets, weights = (_mixed(each, rows, partners, shares) for each in self._arrays)
        return features, targets, weights

    def on_epoch_end(self) -> None:
        """Draw other partners in the next epoch."""
        self._epoch += 1


def _mixed(array: Array, rows: Array, partners: Array, shares: Array) -> Array:
    shares = shares.reshape(-1, *(1,) * (array.ndim - 1))
    mixed: Array = shares * array[rows] + (1 - shares) * array[partners]
    return mixed
