"""Inline an exported function: each operator of its graph becomes a call of its own.

An export has no layers, and its tensors have no telling names. But its operators can be run on
noise (docs/explanation/decisions/0010-custom-layers-probed-on-noise.md), and so the other passes
find frames in the batch and branches per frame
(docs/explanation/decisions/0013-frames-folded-into-the-batch.md). Keras 3's TimeDistributed
unstacks and stacks a window with time in front, (T, 1, ...). The other passes look for time behind
the batch, so this one rewrites both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from convert.execution.held_tensors import HeldTensors
from convert.execution.probe import NoiseProbe, same_numbers
from convert.graph.arguments import positional
from convert.graph.function_graph import run_node
from convert.graph.layer_graph import Call, LayerGraph, needed
from convert.passes.inserted_layers import StackFrames, SyntheticLayer, TakeFrame
from edgevid.frames import Array

# Beyond this many operators, a head made of them is no better than the whole function.
MOST_OPERATORS = 20_000


def inline_exported_function(graph: LayerGraph, probe: NoiseProbe) -> LayerGraph:
    """Replace the call of an exported function by its operators.

    Args:
        graph: The model.
        probe: Runs it on noise.

    Returns:
        A graph of the same computation, with `graph` as its `original`; `graph` itself if it calls no such
        function, or one that cannot be inlined.
    """
    place = next((place for place, call in enumerate(graph.calls) if hasattr(call.layer, "traced")), None)
    values = probe.values(graph) if place is not None and probe.frames > 1 else None
    if place is None or values is None:
        return graph
    reader = _FunctionReader(graph.calls[place], values, graph.unused_numbers(), probe.frames)
    try:
        operators = reader.calls()
    except Exception:  # noqa: BLE001  # an unknown function may fail in any way; it then runs as a whole
        return graph
    calls = needed([*graph.calls[:place], *operators, *graph.calls[place + 1 :]], graph.outputs)
    return replace(graph, calls=calls, original=graph)


class Node(SyntheticLayer):
    """One operator of a function's graph.

    Args:
        definition: Its NodeDef.
        constants: Inputs that do not depend on the window, by position.
        read: Indices of the outputs that anything reads. A normalisation also returns statistics, which have no
            axis of frames.
    """

    def __init__(self, definition: Any, constants: Mapping[int, Any], read: Iterable[int]) -> None:
        self.name = str(definition.name)
        self._definition, self._constants, self._read = definition, constants, tuple(read)

    def __call__(self, *tensors: Any) -> list[Any]:
        """Run the operator.

        Args:
            tensors: The inputs that are not constants, in order.

        Returns:
            The outputs that anything reads.
        """
        remaining = iter(tensors)
        count = len(tensors) + len(self._constants)
        inputs = [
            self._constants[position] if position in self._constants else next(remaining) for position in range(count)
        ]
        results = run_node(self._definition, inputs)
        return [results[index] for index in self._read]


class _FunctionReader:
    """Turns the operators of one function into calls. Each operator runs once on noise on the way.

    Args:
        call: The call of the function.
        values: Tensors of the graph on noise, by number.
        numbers: Unused numbers, for the function's inner tensors.
        frames: Length of the window, T.
    """

    def __init__(self, call: Call, values: Mapping[int, Array], numbers: Iterator[int], frames: int) -> None:
        self._call, self._unused, self._frames = call, numbers, frames
        self._values = HeldTensors()
        self._values.update({number: values[number] for number in call.inputs})
        # By tensor name: numbers of tensors that depend on the window, and values of those that do not.
        self._numbers: dict[str, int] = {}
        self._constants: dict[str, Any] = {}
        # By number of a tensor with time in front: the window with time behind the batch that it was
        # transposed from, and the frames that it was stacked of.
        self._transposed: dict[int, int] = {}
        self._packed: dict[int, tuple[int, ...]] = {}

    def calls(self) -> list[Call]:
        """Return one call per operator that depends on the window.

        Raises:
            ValueError: There are too many operators, or an output does not come from one.
        """
        function = self._call.layer.traced([self._values[number].shape for number in self._call.inputs])
        operators = function.graph.get_operations()
        if len(operators) > MOST_OPERATORS:
            raise ValueError(f"{len(operators)} operators")
        ends = self._bind(function)
        # `_bind` numbered the placeholders, and a NoOp has no outputs.
        operators = [each for each in operators if each.type not in ("Placeholder", "NoOp")]
        calls = [call for operator in operators for call in self._read(operator, ends)]
        produced = {number for call in calls for number in call.outputs}
        if len(ends) != len(self._call.outputs) or produced.isdisjoint(ends.values()):
            raise ValueError("an output that no operator produces")
        return calls

    def _bind(self, function: Any) -> dict[str, int]:
        """Number the function's inputs; return the numbers of its outputs by tensor name."""
        # Captured tensors are placeholders inside the function: weights, which do not depend on the window.
        self._constants = {inner.name: outer for outer, inner in function.graph.captures}
        inputs = [tensor.name for tensor in function.inputs if tensor.name not in self._constants]
        self._numbers = dict(zip(inputs, self._call.inputs, strict=True))
        return dict(zip((tensor.name for tensor in function.outputs), self._call.outputs, strict=True))

    def _read(self, operator: Any, ends: Mapping[str, int]) -> list[Call]:
        names = [tensor.name for tensor in operator.inputs]
        sources = tuple(self._numbers[name] for name in names if name not in self._constants)
        results = run_node(operator.node_def, [self._value(name) for name in names])
        if not sources:
            self._fold(operator, results)
            return []
        targets = self._number_outputs(operator, results, ends)
        return [self._emit(operator, sources, targets)] if targets else []

    def _value(self, name: str) -> Any:
        return self._constants[name] if name in self._constants else self._values[self._numbers[name]]

    def _fold(self, operator: Any, results: list[Any]) -> None:
        """Record the outputs of an operator as constants."""
        for tensor, value in zip(operator.outputs, results, strict=True):
            self._constants[tensor.name] = value

    def _number_outputs(self, operator: Any, results: list[Any], ends: Mapping[str, int]) -> dict[int, int]:
        """Number the outputs that anything reads; return the numbers by output index."""
        numbers: dict[int, int] = {}
        for index, tensor in enumerate(operator.outputs):
            if tensor.consumers() or tensor.name in ends:
                number = ends.get(tensor.name) or next(self._unused)
                numbers[index] = self._numbers[tensor.name] = number
                self._values[number] = np.asarray(results[index])
        return numbers

    def _emit(self, operator: Any, sources: tuple[int, ...], targets: Mapping[int, int]) -> Call:
        numbers = tuple(targets.values())
        rewritten = self._with_time_second(operator, sources, numbers)
        if rewritten is not None:
            return rewritten
        constants = {
            position: self._constants[tensor.name]
            for position, tensor in enumerate(operator.inputs)
            if tensor.name in self._constants
        }
        return self._call_of(Node(operator.node_def, constants, targets), sources, numbers)

    def _with_time_second(self, operator: Any, sources: tuple[int, ...], targets: tuple[int, ...]) -> Call | None:
        """Return the call on (1, T, ...) for an operator on (T, 1, ...); None for any other operator."""
        if operator.type == "Pack":
            self._note_packed(sources, targets[0])
        elif operator.type == "Transpose":
            return self._stack(sources[0], targets)
        elif operator.type == "StridedSlice":
            return self._take_frame(sources[0], targets)
        return None

    def _note_packed(self, sources: tuple[int, ...], target: int) -> None:
        if len(sources) == self._frames and self._has_time_first(target):
            self._packed[target] = sources

    def _stack(self, source: int, targets: tuple[int, ...]) -> Call | None:
        """Return a call that stacks frames to (1, T, ...), for a transposition of stacked (T, 1, ...)."""
        if not same_numbers(self._values[source], self._values[targets[0]]):
            return None
        if self._has_time_second(source) and self._has_time_first(targets[0]):
            self._transposed[targets[0]] = source
        if source in self._packed and self._has_time_second(targets[0]):
            return self._call_of(StackFrames(), self._packed[source], targets)
        return None

    def _take_frame(self, source: int, targets: tuple[int, ...]) -> Call | None:
        """Return a call that takes a frame from (1, T, ...), for a slice of (T, 1, ...)."""
        window, result = self._values[source], self._values[targets[0]]
        if source not in self._transposed or result.shape != window.shape[1:]:
            return None
        # Compare numbers, not the operator's arguments: these may be computed.
        indices = [index for index in range(self._frames) if same_numbers(window[index], result)]
        return self._call_of(TakeFrame(indices[0]), (self._transposed[source],), targets) if len(indices) == 1 else None

    def _has_time_first(self, number: int) -> bool:
        return self._values[number].shape[:2] == (self._frames, 1)

    def _has_time_second(self, number: int) -> bool:
        return self._values[number].shape[:2] == (1, self._frames)

    def _call_of(self, layer: Any, sources: tuple[int, ...], targets: tuple[int, ...]) -> Call:
        return Call(layer, sources, targets, positional(sources), tuple(self._values[targets[0]].shape))
