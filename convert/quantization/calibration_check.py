"""What calibration saw, and whether the converter looked at it.

Two things go wrong in silence elsewhere: calibration data that never reaches the converter, and clips that say nothing of what the device will see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.clips import ClipSet
from convert.quantization.converter import ConvertedPart
from edgevid.bundle.manifest import Role, Tensor
from edgevid.errors import ConversionError
from edgevid.frames import Array
from edgevid.quant import QuantParams, dequantize

# A grid ends within a step of what it was made for; TensorFlow moves it by part of one to have a place for zero.
_SLACK = 0.02


@dataclass(frozen=True, kw_only=True)
class InputRange:
    """What one input of a part was calibrated with.

    Attributes:
        part: Role of the part.
        input: Which of its inputs, from 0.
        samples: How many.
        low: Least number among them.
        high: Greatest.
        grid_low: What the input's least stored number stands for.
        grid_high: What its greatest stands for.
    """

    part: Role
    input: int
    samples: int
    low: float
    high: float
    grid_low: float
    grid_high: float

    @property
    def cut(self) -> bool:
        """Whether samples lie beyond the grid's ends."""
        slack = _SLACK * (self.high - self.low)
        return self.low < self.grid_low - slack or self.high > self.grid_high + slack


def ranges(made: ConvertedPart, samples: Sequence[Array]) -> list[InputRange]:
    """Put the grids of a quantised part's inputs beside what the converter was shown.

    Args:
        made: The part.
        samples: For each input (N, *shape) float32, as they were given to the converter.

    Returns:
        One range an input that is in integers.
    """
    both = enumerate(zip(made.part.inputs, samples, strict=True))
    return [
        _range(made.part.role, index, tensor, given) for index, (tensor, given) in both if not tensor.params.is_float
    ]


def check(found: Sequence[InputRange]) -> None:
    """Refuse a part whose converter did not look at its samples, or took them for another input's.

    Args:
        found: From `ranges`.

    Raises:
        ConversionError: A grid ends short of its samples.
    """
    for each in found:
        if each.cut:
            raise ConversionError(
                expected=f"the converter to calibrate input {each.input} of the {each.part} with its samples ({each.low:.4g} to {each.high:.4g})",
                got=(each.grid_low, each.grid_high),
                found=f"a grid of {each.grid_low:.4g} to {each.grid_high:.4g}: it did not look at them",
            )


def _range(role: Role, index: int, tensor: Tensor, given: Array) -> InputRange:
    low, high = ends(tensor.params)
    return InputRange(
        part=role,
        input=index,
        samples=len(given),
        low=float(given.min()),
        high=float(given.max()),
        grid_low=low,
        grid_high=high,
    )


def ends(params: QuantParams) -> tuple[float, float]:
    """Give the real numbers at the ends of a grid.

    Args:
        params: An integer grid.

    Returns:
        Least and greatest.
    """
    low, high = dequantize(np.array(params.limits, params.dtype), params)
    return float(low), float(high)


def at_the_ends(stored: Array, params: QuantParams) -> float:
    """Tell how much of a tensor lies at the ends of its grid, where larger numbers would be cut off.

    Args:
        stored: Any shape, of the grid's type.
        params: The grid.

    Returns:
        A share. Zero itself is no end: what a ReLU leaves at the bottom was not cut off by the grid.
    """
    low, high = params.limits
    cut = (stored == high) & (params.zero_point != high) | (stored == low) & (params.zero_point != low)
    return float(cut.mean())


def by_class(clips: ClipSet, chosen: Sequence[int]) -> dict[str, dict[str, int]]:
    """Count the clips of each class, and those that calibration looked at.

    Args:
        clips: All clips.
        chosen: Indices of those looked at.

    Returns:
        Class to "clips" and "calibrated"; empty where clips have no classes.
    """
    if not clips.labels:
        return {}
    every = Counter(str(clip.ref.label) for clip in clips.clips)
    looked = Counter(str(clips.clips[index].ref.label) for index in chosen)
    return {label: {"clips": every[label], "calibrated": looked[label]} for label in sorted(every)}


def summary(
    found: Sequence[InputRange],
    clips: ClipSet,
    chosen: Sequence[int],
    *,
    ends_calibrated: float | None,
    ends_unseen: float | None,
    unseen: int,
) -> dict[str, Any]:
    """Put it together for the report.

    Args:
        found: Ranges of all quantised inputs.
        clips: All clips.
        chosen: Indices of those looked at.
        ends_calibrated: Share of features at the ends of their grid, on calibration's own windows; None where no feature is quantised.
        ends_unseen: The same on windows that calibration did not see.
        unseen: How many windows those were.

    Returns:
        JSON-ready data.
    """
    return {
        "clips": len(chosen),
        "of": len(clips.clips),
        "classes": by_class(clips, chosen),
        "inputs": [vars(each) for each in found],
        "features_at_ends": {"calibrated": ends_calibrated, "unseen": ends_unseen, "unseen_windows": unseen},
    }
