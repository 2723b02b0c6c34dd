"""The work of a model for one frame, by class of operator."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Work:
    """Counts of one run of a model.

    Attributes:
        convolution: Multiplications of convolutions.
        depthwise: Multiplications of depthwise convolutions.
        dense: Multiplications of fully connected layers and recurrent steps.
        moved: Numbers that operators read from or write to activations.
        weights: Numbers in the filters and matrices.
    """

    convolution: int = 0
    depthwise: int = 0
    dense: int = 0
    moved: int = 0
    weights: int = 0

    @property
    def products(self) -> int:
        """All multiplications."""
        return self.convolution + self.depthwise + self.dense

    def __add__(self, other: Work) -> Work:
        return Work(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})
