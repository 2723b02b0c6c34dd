"""Probabilities from the raw or stored outputs of a model's last layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevid.bundle.manifest import Scores
from edgevid.frames import Array
from edgevid.quant import QuantParams, dequantize, dequantizer

# Widest grid of logits for the table of powers: exp(-80) is well above float32's smallest normal
# number (exp(-87)), so that neither a power nor a sum of powers loses precision.
_LARGEST_EXPONENT = 80.0


def to_probabilities(kind: Scores) -> Callable[[Array], Array]:
    """Select the function that turns real outputs into probabilities.

    Args:
        kind: Kind of the outputs. A single sigmoid output stands for two classes, (negative,
            positive).

    Returns:
        A function from (..., outputs) float32 to (..., classes) float32.
    """
    if kind == "softmax":
        return lambda raw: raw
    if kind == "logits":
        return softmax
    if kind == "sigmoid":
        return _both_classes
    return lambda raw: _both_classes(sigmoid(raw))


def stored_to_probabilities(params: QuantParams, kind: Scores) -> Callable[[Array], list[float]]:
    """Select the function that turns the last part's stored scores into probabilities.

    Logits on an 8-bit grid take only 256 values, so their powers come from a table: a decision
    needs neither a maximum nor an exponential. The result is a list, which is faster than an array
    for a few numbers.

    Args:
        params: Grid of the scores output.
        kind: Kind of the scores.

    Returns:
        A function from a contiguous (outputs,) array of `params.dtype` to a new list with one
        probability per class.
    """
    if kind == "softmax" and params.is_float:
        # Probabilities as they are. The usual case of a float head: nothing to convert but the container.
        return _as_list
    if kind != "logits" or params.dtype not in ("int8", "uint8") or 255 * params.scale > _LARGEST_EXPONENT:
        real, probabilities = dequantizer(params), to_probabilities(kind)
        return lambda stored: probabilities(real(stored)).tolist()
    # The table is indexed by the stored byte: a negative int8 indexes from the end, where its uint8
    # view has its entry.
    exponents = dequantize(np.arange(256, dtype=np.uint8).view(params.dtype), params)
    # Relative to the grid's largest number, so that no power exceeds 1.
    power_of = np.exp(exponents - exponents.max()).tolist().__getitem__

    def look_up(stored: Array) -> list[float]:
        powers = list(map(power_of, stored.tolist()))
        total = sum(powers)
        return [power / total for power in powers]

    return look_up


def _as_list(stored: Array) -> list[float]:
    probabilities: list[float] = stored.tolist()
    return probabilities


def softmax(logits: Array) -> Array:
    """Turn logits into probabilities.

    Args:
        logits: (..., classes) float.

    Returns:
        The same shape; sums to one over the last axis.
    """
    # Subtract the maximum, so that no exponential overflows.
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(logits: Array) -> Array:
    """Turn logits into independent probabilities.

    Args:
        logits: Float, any shape.

    Returns:
        The same shape, 0 to 1.
    """
    # 1 / (1 + exp(-x)) overflows for large negative x; tanh does not.
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def _both_classes(positive: Array) -> Array:
    return positive if positive.shape[-1] > 1 else np.concatenate([1.0 - positive, positive], axis=-1)
