"""An exported function laid flat: each operator of its graph a call of its own, so that what it does to every frame is found as in any other model.

An export has no layers, and its tensors no names that tell. But its operators can be tried (docs/explanation/decisions/0010-custom-layers-probed-on-noise.md), and frames that they
lay into the batch or take apart are found by trying already (docs/explanation/decisions/0013-frames-folded-into-the-batch.md). Keras 3 takes the window of a TimeDistributed apart
with time in front, (T, 1, ...), and stacks it again so; here both are written as with time behind the batch, which is what is looked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convert.execution.probe import run_on_noise, same_numbers
from convert.graph.arguments import positional
from convert.graph.function_graph import run_node
from convert.graph.layer_graph import Call, LayerGraph, needed
from edgevid.frames import Array

# Beyond this a head of so many operators is no better than the whole function.
MOST_OPERATORS = 20_000


def inline_exported_function(graph: LayerGraph, window: Sequence[int]) -> LayerGraph:
    """Put an exported function's operators in its place.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.

    Returns:
        The same computation; the same object where there is no such function, or it cannot be told apart.
    """
    place = next((place for place, call in enumerate(graph.calls) if hasattr(call.layer, "traced")), None)
    values = run_on_noise(graph, window) if place is not None and window[0] > 1 else None
    if place is None or values is None:
        return graph
    last = max(number for call in graph.calls for number in (*call.inputs, *call.outputs))
    opened = _Opened(graph.calls[place], values, itertools.count(last + 1), window[0])
    try:
        calls = opened.calls()
    except Exception:  # noqa: BLE001  # the function may be anyone's: one that cannot be told apart is run whole
        return graph
    return replace(graph, calls=needed([*graph.calls[:place], *calls, *graph.calls[place + 1 :]], graph.outputs))


class Node:
    """One operator of a function's graph.

    Args:
        definition: It, as TensorFlow describes it.
        known: Its inputs that are always the same, by their place.
        read: Places of its outputs that anything reads: a normalisation also gives statistics, which have no axis of frames.
    """

    trainable_weights = ()

    def __init__(self, definition: Any, known: dict[int, Any], read: Sequence[int]) -> None:
        self.name = str(definition.name)
        self._definition, self._known, self._read = definition, known, tuple(read)

    def __call__(self, *tensors: Any) -> list[Any]:
        """Compute it.

        Args:
            tensors: Its other inputs, in order.

        Returns:
            Its outputs that are read.
        """
        left = iter(tensors)
        count = len(tensors) + len(self._known)
        given = run_node(
            self._definition, [self._known[place] if place in self._known else next(left) for place in range(count)]
        )
        return [given[place] for place in self._read]


class TakeFrame:
    """One frame of a window.

    Args:
        place: Which.
    """

    trainable_weights = ()
    name = "frame"
    lookback = None

    def __init__(self, place: int) -> None:
        self._place = place

    def __call__(self, window: Any) -> Any:
        """Take it from (1, T, ...)."""
        return window[:, self._place]


class StackFrames:
    """Frames laid side by side."""

    trainable_weights = ()
    name = "stack"
    lookback = None

    def __call__(self, *frames: Any) -> Any:
        """Stack T tensors of (1, ...) to (1, T, ...)."""
        import tensorflow as tf

        return tf.stack(frames, axis=1)


class _Opened:
    """The calls of one function, each computed once on noise as it is met."""

    def __init__(self, call: Call, values: dict[int, Array], numbers: Iterator[int], frames: int) -> None:
        self._call, self._numbers, self._frames = call, numbers, frames
        self._values = {number: values[number] for number in call.inputs}
        self._of: dict[str, int] = {}
        self._known: dict[str, Any] = {}
        # Windows with time in front, by the window that they hold the numbers of; and what was stacked in that way.
        self._turned: dict[int, int] = {}
        self._packed: dict[int, tuple[int, ...]] = {}

    def calls(self) -> list[Call]:
        """Make them.

        Raises:
            ValueError: There are too many, or an output is no operator's.
        """
        traced = self._call.layer.traced([self._values[number].shape for number in self._call.inputs])
        operators = traced.graph.get_operations()
        if len(operators) > MOST_OPERATORS:
            raise ValueError(f"{len(operators)} operators")
        self._known = {inner.name: outer for outer, inner in traced.graph.captures}
        given = [tensor.name for tensor in traced.inputs if tensor.name not in self._known]
        self._of = dict(zip(given, self._call.inputs, strict=True))
        ends = dict(zip((tensor.name for tensor in traced.outputs), self._call.outputs, strict=True))
        made = [
            call
            for operator in operators
            if operator.type not in ("Placeholder", "NoOp")
            for call in self._made(operator, ends)
        ]
        if len(ends) != len(self._call.outputs) or {number for call in made for number in call.outputs}.isdisjoint(
            ends.values()
        ):
            raise ValueError("an output that no operator gives")
        return made

    def _made(self, operator: Any, ends: dict[str, int]) -> list[Call]:
        names = [tensor.name for tensor in operator.inputs]
        sources = tuple(self._of[name] for name in names if name not in self._known)
        results = run_node(
            operator.node_def,
            [self._known[name] if name in self._known else self._values[self._of[name]] for name in names],
        )
        if not sources:
            self._known.update({tensor.name: value for tensor, value in zip(operator.outputs, results, strict=True)})
            return []
        read = [place for place, tensor in enumerate(operator.outputs) if tensor.consumers() or tensor.name in ends]
        targets = tuple(ends.get(operator.outputs[place].name) or next(self._numbers) for place in read)
        self._of.update({operator.outputs[place].name: number for place, number in zip(read, targets, strict=True)})
        self._values.update({number: np.asarray(results[place]) for place, number in zip(read, targets, strict=True)})
        known = {place: self._known[name] for place, name in enumerate(names) if name in self._known}
        node = Node(operator.node_def, known, read)
        return (
            [self._turned_round(operator, sources, targets) or _call(node, sources, targets, self._values[targets[0]])]
            if targets
            else []
        )

    def _turned_round(self, operator: Any, sources: tuple[int, ...], targets: tuple[int, ...]) -> Call | None:
        """What is done with time in front, as it is written with time behind the batch."""
        result = self._values[targets[0]]
        if operator.type == "Pack" and len(sources) == self._frames and result.shape[:2] == (self._frames, 1):
            self._packed[targets[0]] = sources
        source, given = sources[0], self._values[sources[0]]
        if operator.type == "Transpose" and same_numbers(given, result):
            if given.shape[:2] == (1, self._frames) and result.shape[:2] == (self._frames, 1):
                self._turned[targets[0]] = source
            if source in self._packed and result.shape[:2] == (1, self._frames):
                return _call(StackFrames(), self._packed[source], targets, result)
        if operator.type == "StridedSlice" and source in self._turned and result.shape == given.shape[1:]:
            places = [place for place in range(self._frames) if same_numbers(given[place], result)]
            return _call(TakeFrame(places[0]), (self._turned[source],), targets, result) if len(places) == 1 else None
        return None


def _call(layer: Any, sources: tuple[int, ...], targets: tuple[int, ...], value: Array) -> Call:
    return Call(layer, sources, targets, positional(sources), tuple(value.shape))
