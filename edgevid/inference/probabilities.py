"""From what a model's last layer gives to probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevid.bundle.manifest import Scores
from edgevid.frames import Array
from edgevid.quant import QuantParams, dequantize, dequantizer

# Powers of e within this range are far from float32's ends, sums of thousands of them too.
_LARGEST_EXPONENT = 80.0


def to_probabilities(kind: Scores) -> Callable[[Array], Array]:
    """Choose how raw outputs become probabilities, once, before the loop.

    Args:
        kind: What the outputs are. A single sigmoid output stands for two classes, (negative, positive).

    Returns:
        A function from (..., outputs) float32 to (..., classes) float32.
    """
    if kind == "softmax":
        return lambda raw: raw
    if kind == "logits":
        return softmax
    if kind == "sigmoid":
        return _both_sides
    return lambda raw: _both_sides(sigmoid(raw))


def answers(params: QuantParams, kind: Scores) -> Callable[[Array], list[float]]:
    """Choose how the last part's stored output becomes probabilities, once, before the loop.

    Logits on a grid of 256 numbers have 256 powers, which are looked up: no maximum is sought and nothing is exponentiated for a decision. Plain
    floats are what a decision is made of, and quicker than arrays of a few numbers.

    Args:
        params: Grid of the output.
        kind: What the output is.

    Returns:
        A function from (outputs,) contiguous of `params.dtype` to a new list of one number a class.
    """
    if kind != "logits" or params.dtype not in ("int8", "uint8") or 255 * params.scale > _LARGEST_EXPONENT:
        real, probabilities = dequantizer(params), to_probabilities(kind)
        return lambda stored: probabilities(real(stored)).tolist()
    # From the greatest number of the grid down, so that no power exceeds 1.
    exponents = dequantize(np.arange(256, dtype=np.uint8).view(params.dtype), params)
    # An int8 number below zero is a place from the end, where the table has it.
    power_of = np.exp(exponents - exponents.max()).tolist().__getitem__

    def look_up(stored: Array) -> list[float]:
        powers = list(map(power_of, stored.tolist()))
        total = sum(powers)
        return [power / total for power in powers]

    return look_up


def softmax(logits: Array) -> Array:
    """Turn logits into probabilities; the greatest is taken off first, so that none overflows.

    Args:
        logits: (..., classes) float.

    Returns:
        The same shape, summing to one over the last axis.
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(logits: Array) -> Array:
    """Turn logits into independent probabilities; through tanh, which cannot overflow.

    Args:
        logits: Float, any shape.

    Returns:
        The same shape, 0 to 1.
    """
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def _both_sides(positive: Array) -> Array:
    return positive if positive.shape[-1] > 1 else np.concatenate([1.0 - positive, positive], axis=-1)
