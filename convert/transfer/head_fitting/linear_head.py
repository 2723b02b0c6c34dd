"""Linear heads: logistic regression on statistics of the features over the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from convert.frameworks.temporal_statistics import TemporalStatistics
from convert.training.fitting.epoch import Epoch
from convert.transfer.head_fitting.heads import Examples
from edgevid.frames import Array

# Weight of the data against the squares of the standardised weights, scikit-learn's default. With
# features of unit spread it is neither seen nor missed between 0.03 and 1.
_C = 1.0
_MOST_ITERATIONS = 2000


@dataclass(frozen=True, eq=False)
class LinearHead:
    """Logits that are linear in statistics of the features.

    Attributes:
        spread: Whether the statistics are mean, spread and change, or the mean alone.
        mean: (S,) mean of each statistic in training.
        scale: (S,) its standard deviation.
        kernel: (S, classes).
        bias: (classes,).
        history: Empty, as logistic regression has no epochs.
    """

    spread: bool
    mean: Array
    scale: Array
    kernel: Array
    bias: Array
    history: tuple[Epoch, ...] = ()

    def logits(self, features: Array) -> Array:
        """Return the logits (N, classes) of windows (N, T, F)."""
        return ((statistics(features, spread=self.spread) - self.mean) / self.scale) @ self.kernel + self.bias

    def connect(self, features: Any) -> Any:
        """Return Keras probabilities (B, classes) of Keras features (B, T, F)."""
        values = TemporalStatistics(spread=self.spread, name="statistics")(features)
        standardise = keras.layers.Normalization(mean=self.mean, variance=self.scale**2, name="standardise")
        scores = keras.layers.Dense(len(self.bias), activation="softmax", name="scores")
        scores.build((None, len(self.mean)))
        scores.set_weights([self.kernel.astype(np.float32), self.bias.astype(np.float32)])
        return scores(standardise(values))

    def scaled(self, temperature: float) -> LinearHead:
        """Return a head whose logits are divided by a temperature."""
        return replace(self, kernel=self.kernel / temperature, bias=self.bias / temperature)


def statistics(features: Array, *, spread: bool) -> Array:
    """Compute with numpy what `TemporalStatistics` does in Keras.

    Args:
        features: (N, T, F).
        spread: As for `TemporalStatistics`.

    Returns:
        (N, 3 F) float32, or (N, F).
    """
    mean = features.mean(axis=1)
    if not spread:
        return mean
    change = np.abs(np.diff(features, axis=1)).mean(axis=1)
    return np.concatenate([mean, np.sqrt(features.var(axis=1) + 1e-8), change], axis=-1)


def fit_linear(examples: Examples, *, streams: Sequence[int], spread: bool) -> LinearHead:
    """Fit a linear head to each stream and average their logits.

    One fit to all streams at once would let the stream with more weight drown the other; averaged,
    they correct each other. The average of linear heads is again one linear head.

    Args:
        examples: Windows that show every class.
        streams: Number of features of each stream; their sum is F.
        spread: As for `TemporalStatistics`.
    """
    ends = np.cumsum(streams)
    heads = [
        _fit_one(statistics(part, spread=spread), examples, spread=spread)
        for part in np.split(examples.features, ends[:-1], axis=-1)
    ]
    return _average(heads)


def _fit_one(values: Array, examples: Examples, *, spread: bool) -> LinearHead:
    from sklearn.linear_model import LogisticRegression

    # A feature that moves in one mined clip alone would get a tiny scale, and numbers so large that
    # int8 loses all others.
    usual = values if examples.mined is None else values[~examples.mined]
    mean, scale = usual.mean(axis=0), usual.std(axis=0)
    # A feature that never moved in training says nothing, whatever it does later.
    scale = np.where(scale > 1e-6, scale, np.inf)
    coordinates, basis = _rotate((values - mean) / scale)
    fitted = LogisticRegression(C=_C, max_iter=_MOST_ITERATIONS).fit(
        coordinates, examples.classes, sample_weight=examples.weights
    )
    weights, bias = fitted.coef_, fitted.intercept_
    # scikit-learn gives two classes one logit, that of the second.
    if len(weights) == 1:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearHead(spread, mean, np.where(np.isfinite(scale), scale, 1e6), basis @ weights.T, bias)


def _rotate(values: Array) -> tuple[Array, Array]:
    """Return coordinates of N rows in the at most N directions that they span, and these directions.

    The squared weights, which the fit keeps small, do not depend on a rotation; with fewer rows than
    columns, the fit takes a fraction of the time.
    """
    values = values.astype(np.float64)
    squares, vectors = np.linalg.eigh(values @ values.T)
    kept = squares > 1e-9 * squares[-1]
    lengths = np.sqrt(squares[kept])
    return vectors[:, kept] * lengths, values.T @ (vectors[:, kept] / lengths)


def _average(heads: Sequence[LinearHead]) -> LinearHead:
    """Return one head over all streams: statistic by statistic, and stream by stream in each."""
    if len(heads) == 1:
        return heads[0]
    count = 3 if heads[0].spread else 1

    def joined(name: str) -> Array:
        by_stream = [np.split(getattr(head, name), count) for head in heads]
        return np.concatenate([parts[statistic] for statistic in range(count) for parts in by_stream])

    return LinearHead(
        heads[0].spread,
        joined("mean"),
        joined("scale"),
        joined("kernel") / len(heads),
        np.mean([head.bias for head in heads], axis=0),
    )
