"""Follow the channels of a model from the layers that make them to the layers that read them.

Each channel that may be removed has a number. A tensor carries the numbers of its last axis, so flattening repeats
them, concatenation joins them, and an addition ties the numbers that it adds: tied channels go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgevid.frames import Array

# Number of a channel that stays, next to channels that may go.
FIXED = -1


@dataclass(frozen=True)
class Channels:
    """The channels of a tensor.

    Attributes:
        shape: Of the tensor, with the batch; None for an axis that the model leaves open.
        numbers: Of its last axis; None if all of them stay.
    """

    shape: tuple[int | None, ...]
    numbers: Array | None = None

    @property
    def known(self) -> Array:
        """The numbers of the last axis, `FIXED` where channels stay."""
        return np.full(int(self.shape[-1] or 0), FIXED) if self.numbers is None else self.numbers


@dataclass(frozen=True)
class Product:
    """The multiply-accumulates of a layer for one frame: a factor times the channels on each of its sides.

    Attributes:
        factor: Positions in the picture times the area of a filter.
        sides: Channels on each side.
    """

    factor: int
    sides: tuple[Array, ...]


@dataclass(frozen=True)
class LayerChannels:
    """What a layer does with channels.

    Attributes:
        layer: The layer itself, not its `TimeDistributed`.
        makes: Numbers of the channels that it makes; None if it makes none that may go.
        output: Numbers of its output's last axis.
        slices: For each of its weights, the numbers along each axis that channels run along.
        reading: Positions in `slices` of the weights and axes that read channels.
        products: Its cost, if it is in the encoder.
    """

    layer: Any
    makes: Array | None
    output: Array
    slices: tuple[Mapping[int, Array], ...]
    reading: tuple[tuple[int, int], ...] = ()
    products: tuple[Product, ...] = ()


@dataclass
class ChannelMap:
    """All channels of a model.

    Attributes:
        layers: What each layer does with them, in the order of the calls.
        tied: For each channel one that it is tied to, or itself.
        pinned: Channels that must stay, such as those of the model's outputs.
    """

    layers: dict[int, LayerChannels] = field(default_factory=dict)
    tied: list[int] = field(default_factory=list)
    pinned: set[int] = field(default_factory=set)

    def new(self, count: int) -> Array:
        """Return numbers for new channels."""
        first = len(self.tied)
        self.tied += range(first, first + count)
        return np.arange(first, first + count)

    def root(self, number: int) -> int:
        """Return the channel that stands for all that a channel is tied to."""
        while self.tied[number] != number:
            number = self.tied[number]
        return number

    def tie(self, one: Array, other: Array) -> None:
        """Let channels go together, pair by pair; with a channel that stays, both stay."""
        for left, right in zip(one.tolist(), other.tolist(), strict=True):
            if FIXED in (left, right):
                self.pin(np.array([left, right]))
            else:
                self.tied[self.root(right)] = self.root(left)

    def pin(self, numbers: Array) -> None:
        """Let channels stay."""
        self.pinned |= set(numbers.tolist()) - {FIXED}

    @property
    def roots(self) -> Array:
        """For each channel the one that stands for all that it is tied to."""
        return np.array([self.root(number) for number in range(len(self.tied))], int)

    @property
    def staying(self) -> Array:
        """For each channel, whether it or one that it is tied to must stay."""
        roots = self.roots
        return np.isin(roots, roots[sorted(self.pinned)]) if self.pinned else np.zeros(len(roots), bool)


@dataclass(frozen=True)
class Visit:
    """One call of a layer.

    Attributes:
        layer: The layer itself, not its `TimeDistributed`.
        inputs: Channels of its inputs.
        shape: Of its output, with the batch.
        found: The channels of the model so far.
        is_inside: Whether the call is in the encoder.
    """

    layer: Any
    inputs: tuple[Channels, ...]
    shape: tuple[int | None, ...]
    found: ChannelMap
    is_inside: bool

    @property
    def before(self) -> Array:
        """The numbers of the first input's last axis."""
        return self.inputs[0].known
