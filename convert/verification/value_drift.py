"""Errors of a model's auxiliary outputs, compared with the trained model's.

A regression has no top-1 class, so its error is measured as a share of its span.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from convert.rows import AnyRows
from convert.verification.reference_answers import ReferenceAnswers
from convert.verification.stages import SPLIT_HINT, is_unstable, unstable_error
from edgevid.bundle.manifest import Value
from edgevid.errors import VerificationFailed
from edgevid.frames import Array

# Float32 sums in another order, as a share of the span; a wrong split is off by a hundred times as much.
_SPLIT_SHARE = 1e-3


@dataclass(frozen=True, kw_only=True)
class ValueDrift:
    """The error of one auxiliary output in one stage over the clips.

    Attributes:
        name: The output.
        stage: "float split" or "bundle, stream".
        mean_abs_error: Mean difference of a number from the trained model's.
        max_abs_error: Largest difference.
        span: Difference between the trained model's largest and smallest number on these clips.
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
    stage: str, values: Sequence[Value], measured: Sequence[Array], trained: Sequence[Array]
) -> list[ValueDrift]:
    """Compare a stage's auxiliary outputs with the trained model's.

    Args:
        stage: The stage.
        values: The auxiliary outputs of the bundle.
        measured: (N, size) for each output.
        trained: (N, size) for each output, float Keras on the same clips.

    Returns:
        One error per output.
    """
    return [_drift(stage, value, own, its) for value, own, its in zip(values, measured, trained, strict=True)]


def _drift(stage: str, value: Value, measured: Array, trained: Array) -> ValueDrift:
    errors = np.abs(measured - trained)
    return ValueDrift(
        name=value.name,
        stage=stage,
        mean_abs_error=float(errors.mean()),
        max_abs_error=float(errors.max()),
        span=float(trained.max() - trained.min()),
    )


def check_split_values(
    reference: ReferenceAnswers, values: Sequence[Value], windows: AnyRows, trained: Sequence[Array]
) -> list[ValueDrift]:
    """Reject a split whose auxiliary outputs are not the trained model's.

    Args:
        reference: The float model, whole and split.
        values: The auxiliary outputs of the bundle.
        windows: Prepared frames (N, T, *frame).
        trained: (N, size) for each output, float Keras on these windows.

    Returns:
        One error per output.

    Raises:
        VerificationFailed: An output differs by more than rounding, or the model is too unstable to be compared.
    """
    drifts = measure_values("float split", values, reference.split_values(windows), trained)
    for place, drift in enumerate(drifts):
        limit = _SPLIT_SHARE * max(drift.span, 1.0)
        # Written with `not … <=`, because a NaN must fail too.
        if not drift.max_abs_error <= limit:
            rounding = reference.value_rounding(windows)[place]
            if is_unstable(drift.max_abs_error, rounding, limit=limit):
                raise unstable_error(f"{drift.name!r}", drift.max_abs_error, rounding)
            raise VerificationFailed(
                expected=f"{drift.name!r} of the split model to equal the trained model's",
                got=drift.max_abs_error,
                found=f"a difference of {drift.max_abs_error:.2g}: a layer was misread",
                hint=SPLIT_HINT,
            )
    return drifts


def broken(drifts: Iterable[ValueDrift], *, most: float) -> str:
    """Return which auxiliary output breaks the budget; an empty string if none does.

    Args:
        drifts: Errors of the bundle's outputs.
        most: Largest mean error, as a share of the span.
    """
    worst = max(drifts, key=lambda drift: drift.share, default=None)
    if worst is None or worst.share <= most:
        return ""
    return f"{worst.name!r} is off by {worst.share:.1%} of its span on average, more than {most:.1%}"
