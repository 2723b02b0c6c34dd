"""What a model gives beside its scores, held against the trained model's own: a regression has no top-1, so its error is measured on its span."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from convert.verification.reference_answers import ReferenceAnswers
from edgevid.bundle.manifest import Value
from edgevid.errors import VerificationFailed
from edgevid.frames import Array

# Float32 sums in another order, as a share of the span; a wrong split is off by a hundred times that.
_SPLIT_SHARE = 1e-3


@dataclass(frozen=True, kw_only=True)
class ValueDrift:
    """One value of one stage over the clips.

    Attributes:
        name: The value.
        stage: "float split" or "bundle, stream".
        mean_abs_error: Mean difference of a number from the trained model's.
        max_abs_error: Greatest one.
        span: From the trained model's least number to its greatest, on these clips.
    """

    name: str
    stage: str
    mean_abs_error: float
    max_abs_error: float
    span: float

    @property
    def share(self) -> float:
        """The mean error as a share of the span."""
        return self.mean_abs_error / max(self.span, 1e-9)


def measure_values(
    stage: str, values: Sequence[Value], given: Sequence[Array], trained: Sequence[Array]
) -> list[ValueDrift]:
    """Hold a stage's values against the trained model's.

    Args:
        stage: Which.
        values: What they are.
        given: (N, size) for each.
        trained: (N, size) for each, float Keras on the same clips.

    Returns:
        One measurement a value.
    """
    return [_measured(stage, value, own, its) for value, own, its in zip(values, given, trained, strict=True)]


def _measured(stage: str, value: Value, given: Array, trained: Array) -> ValueDrift:
    errors = np.abs(given - trained)
    return ValueDrift(
        name=value.name,
        stage=stage,
        mean_abs_error=float(errors.mean()),
        max_abs_error=float(errors.max()),
        span=float(trained.max() - trained.min()),
    )


def check_split_values(
    reference: ReferenceAnswers, values: Sequence[Value], windows: Array, trained: Sequence[Array]
) -> list[ValueDrift]:
    """Refuse a split whose values are not the trained model's.

    Args:
        reference: The float model, whole and in parts.
        values: What it gives beside its scores.
        windows: (N, T, *frame) prepared frames.
        trained: (N, size) for each value, float Keras on these windows.

    Returns:
        One measurement a value.

    Raises:
        VerificationFailed: One differs by more than rounding.
    """
    found = measure_values("float split", values, reference.split_values(windows), trained)
    for each in found:
        if not each.max_abs_error <= _SPLIT_SHARE * max(each.span, 1.0):
            raise VerificationFailed(
                expected=f"the split model to give {each.name!r} as the trained one does",
                got=each.max_abs_error,
                found=f"a difference of {each.max_abs_error:.2g}: a layer was misread",
                hint="No bundle was written. --plan stack, which takes nothing apart, may do.",
            )
    return found


def broken(found: Iterable[ValueDrift], *, most: float) -> str:
    """Say which value is too far off.

    Args:
        found: Measurements of the bundle.
        most: Greatest mean error, as a share of the span.

    Returns:
        The reason, or an empty string where none is.
    """
    worst = max(found, key=lambda each: each.share, default=None)
    if worst is None or worst.share <= most:
        return ""
    return f"{worst.name!r} is off by {worst.share:.1%} of its span on average, more than {most:.1%}"
