"""The loss of a student: cross-entropy with labels, and divergence from the softened answers of a teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgevid.errors import UsageError

# No probability of float32 is smaller for the logarithm.
_LEAST = 1e-7


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """How much the answers of a teacher count.

    Attributes:
        temperature: Divides the logarithms of both answers, at least 1. Above 1, unlikely classes teach more.
        share: Weight of the teacher against the label, above 0 to 1.
        teacher: Hash of the teacher's file, which distinguishes one training from another.

    Raises:
        UsageError: A number is out of range.
    """

    temperature: float = 2.0
    share: float = 0.7
    teacher: str = ""

    def __post_init__(self) -> None:
        # Written so that NaN fails too.
        UsageError.unless(self.temperature >= 1, expected="--temperature of at least 1", got=self.temperature)
        UsageError.unless(0 < self.share <= 1, expected="--teacher-share above 0, at most 1", got=self.share)


def distillation_loss(options: Distillation, *, label_smoothing: float) -> Callable[[Any, Any], Any]:
    """Return the loss of targets (B, 2, C), one-hot labels and the teacher's probabilities, and scores (B, C).

    A row of zeros is a missing label or a missing answer. Without an answer, as in validation, the label counts fully.

    Args:
        options: Temperature and share.
        label_smoothing: Probability that is moved from the true class to all classes.

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, with the square of the
        temperature that keeps the size of the gradients.
    """
    import keras

    ops, heat = keras.ops, options.temperature

    def loss(targets: Any, scores: Any) -> Any:
        labels, answers = targets[:, 0], targets[:, 1]
        is_labelled, is_answered = ops.sum(labels, axis=-1), ops.sum(answers, axis=-1)
        logs = ops.log(ops.clip(scores, _LEAST, 1.0))
        smoothed = labels * (1 - label_smoothing) + label_smoothing / labels.shape[-1]
        hard = -ops.sum(smoothed * logs, axis=-1) * is_labelled
        theirs = ops.log_softmax(ops.log(ops.clip(answers, _LEAST, 1.0)) / heat, axis=-1)
        ours = ops.log_softmax(logs / heat, axis=-1)
        soft = heat**2 * ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1) * is_answered
        return (1 - options.share * is_answered) * hard + options.share * soft

    return loss


def accuracy(targets: Any, scores: Any) -> Any:
    """Return for each window whether the class with the highest score is the label's; the teacher's without one."""
    import keras

    ops = keras.ops
    labels, answers = targets[:, 0], targets[:, 1]
    wanted = labels + answers * (1 - ops.sum(labels, axis=-1, keepdims=True))
    return ops.cast(ops.argmax(wanted, axis=-1) == ops.argmax(scores, axis=-1), "float32")
