"""Choose the channels to remove: the weakest filters of each layer, until a share of the cost is left."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from convert.pruning.channels import FIXED, ChannelMap
from edgevid.errors import UsageError
from edgevid.frames import Array

# Kernels of convolutions work on channels in blocks, so single channels would save nothing.
_BLOCK = 4


@dataclass(frozen=True)
class Selection:
    """The channels that stay.

    Attributes:
        stays: For each channel, whether it stays.
        macs_before: Multiply-accumulates of the encoder for one frame, as trained.
        macs_after: The same with the channels that stay.
    """

    stays: Array
    macs_before: int
    macs_after: int

    @property
    def share(self) -> float:
        """Share of the cost that is left."""
        return self.macs_after / self.macs_before


def select_channels(found: ChannelMap, share: float) -> Selection:
    """Choose the channels that stay.

    Channels go in blocks of four, always from the layer that would still have the largest share of its own, those with
    the smallest L1 norm of their filters first. Those that the share has room for come back. The batch normalisation
    that follows is folded into the norm. Channels that an addition ties count by the sum of their norms, each relative
    to the mean of its layer.

    Args:
        found: The channels of the model.
        share: Largest share of the encoder's multiply-accumulates that may be left.

    Raises:
        UsageError: No channel can be removed, or not enough of them.

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, for the norm; Liu et al., "Rethinking the
        Value of Network Pruning", ICLR 2019, for equal shares of all layers.
    """
    stays = np.ones(len(found.tied), bool)
    before = after = count_macs(found, stays)
    ranked = _ranked(found)
    UsageError.unless(bool(ranked), expected="an encoder with channels to remove, with --prune", found="none")
    removed: list[Array] = []
    for group in _blocks(ranked):
        if after <= share * before:
            break
        removed.append(np.isin(found.roots, group))
        stays &= ~removed[-1]
        after = count_macs(found, stays)
    UsageError.unless(
        after <= share * before,
        expected=f"--prune of at least {after / before + 0.005:.2f}, which leaves {_BLOCK} channels a layer",
        got=share,
    )
    # The last block of a costly layer leaves room for cheaper ones.
    for block in reversed(removed):
        if count_macs(found, stays | block) <= share * before:
            stays |= block
    return Selection(stays, before, count_macs(found, stays))


def count_macs(found: ChannelMap, stays: Array) -> int:
    """Return the encoder's multiply-accumulates for one frame.

    Args:
        found: The channels of the model.
        stays: For each channel, whether it stays.
    """
    # The last entry is that of FIXED, -1.
    extended = np.append(stays, True)
    return sum(
        product.factor * int(np.prod([extended[side].sum() for side in product.sides]))
        for each in found.layers.values()
        for product in each.products
    )


def _ranked(found: ChannelMap) -> list[Array]:
    """Return the channels that may go, by the layers that make them, the strongest first."""
    roots, staying = found.roots, found.staying
    makers: dict[int, list[int]] = defaultdict(list)
    strength = np.zeros(len(roots))
    scales = _scales(found)
    for place, each in enumerate(found.layers.values()):
        if each.makes is None:
            continue
        norms = _norms(each.layer) * scales[each.makes]
        np.add.at(strength, roots[each.makes], norms / max(float(norms.mean()), 1e-12))
        for root in roots[each.makes].tolist():
            makers[root].append(place)
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for root, places in makers.items():
        if not staying[root]:
            groups[tuple(places)].append(root)
    return [np.array(sorted(group, key=lambda root: (-strength[root], root))) for group in groups.values()]


def _norms(layer: object) -> Array:
    """Return the L1 norm of each filter of a layer."""
    # The kernel that makes channels is the last weight before the bias.
    kernels = [np.asarray(each) for each in layer.get_weights() if np.ndim(each) > 1]  # type: ignore[attr-defined]
    norms: Array = np.abs(kernels[-1]).reshape(-1, kernels[-1].shape[-1]).sum(axis=0)
    return norms


def _scales(found: ChannelMap) -> Array:
    """Return the factor of the batch normalisations that follow each channel."""
    scales = np.ones(len(found.tied))
    for each in found.layers.values():
        if type(each.layer).__name__ != "BatchNormalization":
            continue
        variance = np.asarray(each.layer.moving_variance)
        gamma = np.asarray(each.layer.gamma) if each.layer.scale else np.ones_like(variance)
        known = each.output != FIXED
        scales[each.output[known]] *= (np.abs(gamma) / np.sqrt(variance + each.layer.epsilon))[known]
    return scales


def _blocks(ranked: list[Array]) -> list[Array]:
    """Return the blocks of channels to remove, in their order: from the layer that has the largest share left."""
    blocks = [
        (start / len(group), place, group[start : start + _BLOCK])
        for place, group in enumerate(ranked)
        for start in range(len(group) % _BLOCK or _BLOCK, len(group), _BLOCK)
    ]
    return [group for *_, group in sorted(blocks, key=lambda each: (-each[0], each[1]))]
