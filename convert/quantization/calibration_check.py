"""Compare the grids of a quantised part with its calibration samples.

Two faults are otherwise silent: calibration data that the converter ignores, and clips that do not represent
the frames on the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convert.clips import ClipSet
from convert.quantization.converter import ConvertedPart
from convert.rows import AnyRows
from edgevid.bundle.parts import Role, Tensor
from edgevid.errors import ConversionError
from edgevid.frames import Array
from edgevid.quant import QuantParams, dequantize

# Samples may exceed a grid by this share of their range: TensorFlow moves grids by part of a step, to represent
# zero exactly.
_SLACK = 0.02


@dataclass(frozen=True, kw_only=True)
class InputRange:
    """The calibration samples of one input of a part, and the grid that came of them.

    Attributes:
        part: Role of the part.
        input: Index of the input.
        samples: Number of samples.
        low: Smallest number in the samples.
        high: Largest number in the samples.
        grid_low: Smallest number of the grid.
        grid_high: Largest number of the grid.
    """

    part: Role
    input: int
    samples: int
    low: float
    high: float
    grid_low: float
    grid_high: float

    @property
    def exceeds_grid(self) -> bool:
        """Whether samples would be clipped at the grid's ends."""
        slack = _SLACK * (self.high - self.low)
        return self.low < self.grid_low - slack or self.high > self.grid_high + slack


@dataclass(frozen=True, kw_only=True)
class GridEnds:
    """The share of the encoder's features at the ends of their grid.

    Attributes:
        calibrated: On calibration windows; null if features are float or there is no encoder.
        unseen: On windows outside the calibration set.
        unseen_windows: Number of those windows.
    """

    calibrated: float | None
    unseen: float | None
    unseen_windows: int


@dataclass(frozen=True, kw_only=True)
class CalibrationSummary:
    """The calibration data.

    Attributes:
        clips: Number of clips used.
        of: Number of clips in all.
        classes: For each class the number of "clips" and of those "calibrated"; empty without labels.
        inputs: Range of samples and grid of each quantised input.
        features_at_ends: Share of features at the ends of their grid.
    """

    clips: int
    of: int
    classes: Mapping[str, Mapping[str, int]]
    inputs: tuple[InputRange, ...]
    features_at_ends: GridEnds


def ranges(part: ConvertedPart, samples: Sequence[AnyRows]) -> list[InputRange]:
    """Return the ranges of samples and grid for each integer input of a quantised part.

    Args:
        part: The part.
        samples: For each input the array (N, *shape) float32 that the converter received; for the
            first input only, if the others are states of a file that someone else converted.
    """
    inputs = enumerate(zip(part.part.inputs, samples, strict=False))
    return [
        _range(part.part.role, index, tensor, values)
        for index, (tensor, values) in inputs
        if not tensor.params.is_float
    ]


def check(inputs: Sequence[InputRange]) -> None:
    """Reject a part if the converter ignored its samples, or used those of another input.

    Raises:
        ConversionError: The samples of an input exceed its grid.
    """
    for each in inputs:
        if each.exceeds_grid:
            samples = f"its samples ({each.low:.4g} to {each.high:.4g})"
            grid = f"a grid of {each.grid_low:.4g} to {each.grid_high:.4g}"
            raise ConversionError(
                expected=f"the converter to calibrate input {each.input} of the {each.part} with {samples}",
                got=(each.grid_low, each.grid_high),
                found=f"{grid}: the converter ignored the calibration data",
            )


def _range(role: Role, index: int, tensor: Tensor, values: AnyRows) -> InputRange:
    ends_of_rows = [(float(row.min()), float(row.max())) for row in values]
    low, high = ends(tensor.params)
    return InputRange(
        part=role,
        input=index,
        samples=len(values),
        low=min(least for least, _ in ends_of_rows),
        high=max(most for _, most in ends_of_rows),
        grid_low=low,
        grid_high=high,
    )


def ends(params: QuantParams) -> tuple[float, float]:
    """Return the smallest and largest real number of an integer grid."""
    low, high = dequantize(np.array(params.limits, params.dtype), params)
    return float(low), float(high)


def share_at_ends(stored: Iterable[Array], params: QuantParams) -> float:
    """Return the share of a tensor at the ends of its grid, where larger numbers would be clipped.

    Args:
        stored: Pieces of the tensor of any shape, in the grid's dtype.
        params: The grid.

    Returns:
        0 to 1. A zero point at an end does not count: a ReLU's zeros were not clipped by the grid.
    """
    low, high = params.limits
    clipped = numbers = 0
    for piece in stored:
        at_end = (piece == high) & (params.zero_point != high) | (piece == low) & (params.zero_point != low)
        clipped, numbers = clipped + int(np.count_nonzero(at_end)), numbers + at_end.size
    return clipped / numbers


def by_class(clips: ClipSet, calibrated: Sequence[int]) -> dict[str, dict[str, int]]:
    """Count the clips of each class, and those used for calibration.

    Args:
        clips: All clips.
        calibrated: Indices of the clips used for calibration.

    Returns:
        For each class "clips" and "calibrated"; empty if the clips have no classes.
    """
    if not clips.labels:
        return {}
    total = Counter(str(clip.ref.label) for clip in clips.clips)
    used = Counter(str(clips.clips[index].ref.label) for index in calibrated)
    return {label: {"clips": total[label], "calibrated": used[label]} for label in sorted(total)}
