"""A graph tried on noise: what each of its tensors is, for one window, where its calls do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convert.execution.runner import make
from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.operators import is_opaque
from edgevid.frames import Array

TOLERANCE = 1e-5


def run_on_noise(graph: LayerGraph, window: Sequence[int], *, seed: int = 0) -> dict[int, Array] | None:
    """Make every call of a graph once, on one window of noise.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.
        seed: Of the noise.

    Returns:
        Each tensor by number, with the batch of 1; None where a call does not take such a window.
    """
    import tensorflow as tf

    values: dict[int, Any] = {
        graph.input: tf.constant(np.random.default_rng(seed).normal(size=(1, *window)).astype(np.float32))
    }
    try:
        for call in graph.calls:
            values.update(zip(call.outputs, make(call, values), strict=True))
        return {number: np.asarray(value) for number, value in values.items()}
    except Exception:  # noqa: BLE001  # a layer may be anyone's; a model that cannot be tried is taken as it is laid out
        return None


def same_numbers(first: Array, second: Array) -> bool:
    """Tell whether two tensors hold the same numbers in the same order, whatever their axes.

    Args:
        first: Any.
        second: Any.

    Returns:
        Whether they do.
    """
    return first.size == second.size and bool(np.array_equal(first.ravel(), second.ravel()))


def allclose(first: Array, second: Array) -> bool:
    """Tell whether two tensors are one to rounding.

    Args:
        first: Any.
        second: Any.

    Returns:
        Whether they are.
    """
    return first.shape == second.shape and bool(
        np.allclose(first, second, atol=TOLERANCE * max(1.0, float(np.abs(second).max(initial=0.0))))
    )


def is_batchwise(call: Call, values: Mapping[int, Array]) -> bool:
    """Tell whether a call treats the elements of a batch one by one: Keras's layers do, of others it is tried.

    Args:
        call: Any call.
        values: As `run_on_noise` gives them, the call's inputs with frames for a batch.

    Returns:
        Whether the first and the last element alone give what they give within the batch.
    """
    import tensorflow as tf

    if not is_opaque(call):
        return True
    for at in (0, len(values[call.outputs[0]]) - 1):
        try:
            alone = make(call, {number: tf.constant(values[number][at : at + 1]) for number in call.inputs})
        except Exception:  # noqa: BLE001  # what does not take one frame does not treat frames one by one
            return False
        if not all(
            allclose(np.asarray(each), values[number][at : at + 1])
            for each, number in zip(alone, call.outputs, strict=True)
        ):
            return False
    return True
