"""Heads over the features of a window: their names, their interface, and how each is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from convert.training.fitting.epoch import Epoch
from convert.training.options import HeadName
from edgevid.frames import Array
from edgevid.inference.probabilities import softmax

LINEAR: tuple[HeadName, ...] = ("mean", "stats")


class Head(Protocol):
    """A fitted head."""

    @property
    def history(self) -> tuple[Epoch, ...]:
        """Epochs of its training; none if it was fitted without."""
        ...

    def logits(self, features: Array) -> Array:
        """Return the logits (N, classes) of windows (N, T, F)."""
        ...

    def connect(self, features: Any) -> Any:
        """Return Keras probabilities (B, classes) of Keras features (B, T, F)."""
        ...

    def scaled(self, temperature: float) -> Head:
        """Return a head whose logits are divided by a temperature."""
        ...


@dataclass(frozen=True)
class Examples:
    """Windows to fit a head to.

    Attributes:
        features: (N, T, F) float32.
        classes: (N,) indices of classes.
        weights: (N,) weight of each window; the mean is 1.
        mined: (N,) bool, the windows of mined clips; None for none.
    """

    features: Array
    classes: Array
    weights: Array
    mined: Array | None = None


@dataclass(frozen=True, kw_only=True)
class HeadTraining:
    """How a head with epochs is trained; linear heads have none.

    Attributes:
        every_frame: Whether a causal head learns to answer at every frame of the window.
        label_smoothing: Probability that is moved from the true class to all classes.
        mix_up: Parameter of the Beta distribution from which the shares of two mixed windows are
            drawn; 0 mixes none.
    """

    every_frame: bool = True
    label_smoothing: float = 0.05
    mix_up: float = 0.0


USUAL = HeadTraining()


def balanced_weights(classes: Array, clips: Array) -> Array:
    """Weight windows so that every clip of a class, and every class, counts the same.

    Args:
        classes: (N,) class of each window.
        clips: (N,) number of the clip of each window.

    Returns:
        (N,) weights with a mean of 1.
    """
    _, clip, windows = np.unique(clips, return_inverse=True, return_counts=True)
    weights = 1.0 / windows[clip]
    for each in np.unique(classes):
        weights[classes == each] /= weights[classes == each].sum()
    return weights / weights.mean()


def log_losses(logits: Array, classes: Array) -> Array:
    """Return the negative logarithms of the true classes' probabilities, (N,).

    Args:
        logits: (N, classes).
        classes: (N,) true classes.
    """
    probabilities = softmax(logits.astype(np.float64))
    return -np.log(np.maximum(probabilities[np.arange(len(classes)), classes], 1e-12))


def log_loss(logits: Array, classes: Array) -> float:
    """Return the mean of `log_losses`."""
    return float(log_losses(logits, classes).mean())


def temperature_of(logits: Array, classes: Array) -> float:
    """Return the temperature with the lowest log loss on logits of held-out clips.

    Args:
        logits: (N, classes) of clips that took no part in fitting.
        classes: (N,) true classes.

    Returns:
        A number from 0.1 to 10; above 1 the head was too sure of itself.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda exponent: log_loss(logits / np.exp(exponent), classes),
        bounds=(np.log(0.1), np.log(10.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def fit(
    name: HeadName, examples: Examples, *, streams: Sequence[int], seed: int, training: HeadTraining = USUAL
) -> Head:
    """Fit a head.

    Args:
        name: Its name.
        examples: Windows that show every class.
        streams: Number of features of each stream, in their order; their sum is F.
        seed: Seed of weights and batches.
        training: How a head with epochs is trained.
    """
    if name in LINEAR:
        from convert.transfer.head_fitting.linear_head import fit_linear

        return fit_linear(examples, streams=streams, spread=name == "stats")
    from convert.transfer.head_fitting.sequence_head import fit_sequence

    return fit_sequence(name, examples, seed=seed, training=training)
