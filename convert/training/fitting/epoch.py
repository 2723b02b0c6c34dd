"""Metrics of one epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Metrics of one epoch.

    Attributes:
        number: Number of the epoch, from 1.
        of: Largest number of epochs.
        loss: Mean loss over the varied training windows.
        accuracy: Fraction of the training windows with the correct answer.
        val_loss: Loss over the middle windows of the held-out clips; None if nothing is held out.
        val_accuracy: Fraction of these windows with the correct answer; None if nothing is held
            out.
    """

    number: int
    of: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
