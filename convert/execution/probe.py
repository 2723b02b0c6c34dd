"""Run a graph on noise to learn what its calls do, where their names and arguments do not reveal it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from convert.execution.held_tensors import HeldTensors
from convert.execution.runner import run_call
from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.operators import is_opaque
from edgevid.frames import Array

# Rounding of float32 sums in another order; relative to the largest value, if that is above 1.
TOLERANCE = 1e-5


class NoiseProbe:
    """The tensors of a graph for one window of noise, computed on demand.

    Passes over a graph share one probe. The model then runs once, and again only after a pass changed the graph.

    Args:
        window: Shape of the model's window, without the batch.
    """

    def __init__(self, window: Sequence[int]) -> None:
        self.window = tuple(window)
        self._graph: LayerGraph | None = None
        self._values: HeldTensors | None = None

    @property
    def frames(self) -> int:
        """Length of the window, T."""
        return self.window[0]

    def values(self, graph: LayerGraph) -> HeldTensors | None:
        """Return the tensors of a graph.

        Returns:
            Each tensor by number, with a batch of 1; None if a call fails on such a window.
        """
        if graph is not self._graph:
            # Free the tensors of the previous graph first: those of a large model fill memory.
            self._graph = self._values = None
            self._graph, self._values = graph, run_on_noise(graph, self.window)
        return self._values


def run_on_noise(graph: LayerGraph, window: Sequence[int], *, seed: int = 0) -> HeldTensors | None:
    """Run every call of a graph once, on one window of noise.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.
        seed: Seed of the noise.

    Returns:
        Each tensor by number, with a batch of 1; None if a call fails on such a window.
    """
    values = HeldTensors()
    try:
        for number, value in _tensors_on_noise(graph, window, seed):
            values[number] = np.asarray(value)
    except Exception:  # noqa: BLE001  # a custom layer may raise anything; the graph then stays as it is
        return None
    return values


def output_on_noise(graph: LayerGraph, window: Sequence[int], *, seed: int = 0) -> Array | None:
    """Run a graph as `run_on_noise` does, and return only its scores."""
    output = None
    try:
        for number, value in _tensors_on_noise(graph, window, seed):
            output = np.asarray(value) if number == graph.output else output
    except Exception:  # noqa: BLE001  # as above
        return None
    return output


def _tensors_on_noise(graph: LayerGraph, window: Sequence[int], seed: int) -> Iterator[tuple[int, Any]]:
    """Yield each tensor once, and hold it until the last call that reads it."""
    import tensorflow as tf

    last_readers = {number: place for place, call in enumerate(graph.calls) for number in call.inputs}
    noise = np.random.default_rng(seed).standard_normal((1, *window), np.float32)
    values: dict[int, Any] = {graph.input: tf.constant(noise)}
    del noise
    yield from values.items()
    for place, call in enumerate(graph.calls):
        made = dict(zip(call.outputs, run_call(call, values), strict=True))
        yield from made.items()
        values |= {number: value for number, value in made.items() if number in last_readers}
        for number in call.inputs:
            if last_readers[number] == place:
                values.pop(number, None)


def same_numbers(first: Array, second: Array) -> bool:
    """Return whether two arrays hold the same numbers in the same order, whatever their axes."""
    return first.size == second.size and bool(np.array_equal(first.ravel(), second.ravel()))


def allclose(first: Array, second: Array) -> bool:
    """Return whether two arrays are equal to rounding."""
    return first.shape == second.shape and bool(
        np.allclose(first, second, atol=TOLERANCE * max(1.0, float(np.abs(second).max(initial=0.0))))
    )


def is_batchwise(call: Call, values: Mapping[int, Array]) -> bool:
    """Return whether a call treats the elements of a batch independently.

    Keras layers do. Any other call is run on the first and on the last element alone.

    Args:
        call: Any call.
        values: Tensors by number, as `run_on_noise` returns them; the call's inputs have frames for a batch.
    """
    import tensorflow as tf

    if not is_opaque(call):
        return True
    for at in (0, len(values[call.outputs[0]]) - 1):
        try:
            alone = run_call(call, {number: tf.constant(values[number][at : at + 1]) for number in call.inputs})
        except Exception:  # noqa: BLE001  # a call that rejects a single frame does not treat frames independently
            return False
        if not all(
            allclose(np.asarray(each), values[number][at : at + 1])
            for each, number in zip(alone, call.outputs, strict=True)
        ):
            return False
    return True
