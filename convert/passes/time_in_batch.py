"""Unfold time that a model folds into the batch by hand: `reshape(x, (-1, H, W, C))`, a CNN, `reshape(x, (-1, T, F))`.

The reshapes may be operators, Lambda layers or custom layers. The calls between them treat frames independently, but
their tensors have no axis of time. The second reshape names T, so it rejects a single frame. This pass replaces the
calls by one that takes windows of any length: a per-frame layer like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from convert.execution.probe import NoiseProbe, is_batchwise, same_numbers
from convert.execution.runner import GraphRunner, recurrences
from convert.graph.layer_graph import Call, LayerGraph, in_order, needed
from convert.graph.operators import is_opaque
from convert.passes.inserted_layers import MergeTimeIntoBatch, ReshapeBatch, ReshapeFrames, SyntheticLayer, call_of
from edgevid.frames import Array


def unfold_time(graph: LayerGraph, probe: NoiseProbe) -> LayerGraph:
    """Replace the calls between folding and unfolding of time by calls on windows.

    Args:
        graph: The model.
        probe: Runs it on noise.

    Returns:
        A graph of the same computation; `graph` itself if it folds no time.
    """
    # Keras layers never fold time into the batch; only an opaque call can.
    if probe.frames < 2 or not any(is_opaque(call) for call in graph.calls):
        return graph
    values = probe.values(graph)
    if values is None:
        return graph
    folded = _FoldedTensors(graph, values, probe.frames)
    return _Unfolding(graph, values, folded).rewritten() if folded.entries else graph


class FrameByFrame(SyntheticLayer):
    """Runs calls on frames in the batch as one call on windows.

    Args:
        calls: In topological order.
        entries: Numbers of the tensors that they start from, each with the shape of one frame.
        exits: Numbers of the tensors that they produce.
    """

    name = "frame_by_frame"
    lookback = 0

    def __init__(self, calls: Sequence[Call], entries: Mapping[int, Sequence[int]], exits: Sequence[int]) -> None:
        self.calls, self._entries, self._exits = tuple(calls), dict(entries), tuple(exits)

    def __call__(self, *windows: Any) -> list[Any]:
        """Run the calls.

        Args:
            windows: One tensor (B, T, ...) per entry, of any T.

        Returns:
            One tensor (B, T, ...) per exit.
        """
        import tensorflow as tf

        batch, frames = int(windows[0].shape[0]), int(windows[0].shape[1])
        inputs = {
            entry: tf.reshape(window, (batch * frames, *shape))
            for (entry, shape), window in zip(self._entries.items(), windows, strict=True)
        }
        # A new runner per call: it holds weights as constants of the graph being traced.
        values = GraphRunner(recurrences(self.calls), ()).run_window(self.calls, inputs)
        return [tf.reshape(values[each], (batch, frames, *values[each].shape[1:])) for each in self._exits]


class _FoldedTensors:
    """The tensors of a graph that have frames for a batch.

    Args:
        graph: The model.
        values: Its tensors on noise, by number.
        frames: Length of the window, T.

    Attributes:
        frames: Length of the window, T.
        entries: For each tensor that a call folds, the tensor before the call, which has an axis of time.
        members: Numbers of all tensors with frames for a batch.
        inside: The calls that keep frames in the batch.
    """

    def __init__(self, graph: LayerGraph, values: Mapping[int, Array], frames: int) -> None:
        self._graph, self._values, self.frames = graph, values, frames
        self.entries: dict[int, int] = {}
        self.members: set[int] = set()
        self.inside: list[Call] = []
        for call in graph.calls:
            self._follow(call)
        for entry in [each for each in self.entries if not self._is_used(each)]:
            del self.entries[entry]
            self.members.remove(entry)

    def _follow(self, call: Call) -> None:
        """Record whether a call enters the batch of frames or stays in it; all others leave it or never were in it."""
        source = self._entered_from(call)
        if source is not None:
            self.entries[call.outputs[0]] = source
            self.members.add(call.outputs[0])
        elif self._stays(call):
            self.inside.append(self._without_length(call) if self._only_reshapes(call) else call)
            self.members |= set(call.outputs)

    def _entered_from(self, call: Call) -> int | None:
        """Return the input whose axis of time a call folds into the batch."""
        if not is_opaque(call) or len(call.outputs) != 1:
            return None
        result = self._values[call.outputs[0]]
        if result.ndim < 2 or result.shape[0] != self.frames:
            return None
        for number in call.inputs:
            window = self._values[number]
            has_time = window.ndim > 2 and window.shape[:2] == (1, self.frames)
            if has_time and number not in self.members and same_numbers(window, result):
                return number
        return None

    def _stays(self, call: Call) -> bool:
        """Return whether a call reads frames in the batch and leaves them there, each by itself."""
        folded = self._folded_inputs(call)
        shapes = [self._values[number].shape for number in call.outputs]
        if not folded or any(not shape or shape[0] != self.frames for shape in shapes):
            return False
        return self._only_reshapes(call) or (len(folded) == len(call.inputs) and is_batchwise(call, self._values))

    def _folded_inputs(self, call: Call) -> list[int]:
        return [number for number in call.inputs if number in self.members]

    def _only_reshapes(self, call: Call) -> bool:
        folded = self._folded_inputs(call)
        if not is_opaque(call) or len(folded) != 1 or len(call.outputs) != 1:
            return False
        return same_numbers(self._values[folded[0]], self._values[call.outputs[0]])

    def _without_length(self, call: Call) -> Call:
        """Return a reshape for any number of frames: the call may name T in its target shape."""
        (source,), (target,) = self._folded_inputs(call), call.outputs
        shape = self._values[target].shape[1:]
        return call_of(ReshapeBatch(shape), (source,), (target,), (1, *shape))

    def _is_used(self, entry: int) -> bool:
        """Return whether a call works on the folded frames, or unfolds them.

        If not, a call such as a transposition merely has a result with T in front.
        """
        if any(entry in call.inputs for call in self.inside):
            return True
        results = [self._values[call.outputs[0]] for call in self._graph.consumers(entry)]
        return any(each.shape[:2] == (1, self.frames) and same_numbers(self._values[entry], each) for each in results)

    def groups(self) -> list[set[int]]:
        """Return the folded tensors in groups, each computed from one another."""
        groups = [{entry} for entry in self.entries]
        for call in self.inside:
            touched = [group for group in groups if group & set(call.inputs)]
            groups = [group for group in groups if group not in touched] + [set(call.outputs).union(*touched)]
        return groups


class _Unfolding:
    """Rewrites a graph so that its folded tensors are windows.

    Args:
        graph: The model.
        values: Its tensors on noise, by number.
        folded: Its tensors with frames for a batch.
    """

    def __init__(self, graph: LayerGraph, values: Mapping[int, Array], folded: _FoldedTensors) -> None:
        self._graph, self._values, self._folded = graph, values, folded

    def rewritten(self) -> LayerGraph:
        """Return the graph with one call per group of folded tensors."""
        numbers = self._graph.unused_numbers()
        outside = [call for call in self._graph.calls if not set(call.outputs) & self._folded.members]
        inserted: list[Call] = []
        for group in self._folded.groups():
            windows = self._windows(group, outside, numbers)
            if windows:
                inserted.append(self._merged(group, windows))
                # Calls that read the frames in the batch get them by folding the window again.
                inserted += [
                    call_of(MergeTimeIntoBatch(), (window,), (tensor,), self._values[tensor].shape)
                    for tensor, window in windows.items()
                ]
                outside = [self._on_window(call, windows) for call in outside]
        calls = in_order([*outside, *inserted], self._graph.input)
        return self._graph if calls is None else replace(self._graph, calls=needed(calls, self._graph.outputs))

    def _windows(self, group: set[int], outside: Sequence[Call], numbers: Iterator[int]) -> dict[int, int]:
        """Number a window for each tensor of a group that leaves it; return the numbers by tensor."""
        read = {tensor for call in outside for tensor in call.inputs} | set(self._graph.outputs)
        return {tensor: next(numbers) for tensor in group if tensor in read}

    def _merged(self, group: set[int], windows: Mapping[int, int]) -> Call:
        """Return one call for all calls of a group."""
        entries = {entry: source for entry, source in self._folded.entries.items() if entry in group}
        inside = needed([call for call in self._folded.inside if set(call.outputs) & group], windows)
        layer = FrameByFrame(inside, {entry: self._values[entry].shape[1:] for entry in entries}, tuple(windows))
        first = self._values[next(iter(windows))]
        return call_of(layer, tuple(entries.values()), tuple(windows.values()), (1, *first.shape))

    def _on_window(self, call: Call, windows: Mapping[int, int]) -> Call:
        """Return a call that reshapes the frames of a window, for one that unfolds time; others unchanged."""
        if not is_opaque(call) or len(call.outputs) != 1:
            return call
        result = self._values[call.outputs[0]]
        if result.ndim < 3 or result.shape[:2] != (1, self._folded.frames):
            return call
        for tensor, window in windows.items():
            if tensor in call.inputs and same_numbers(self._values[tensor], result):
                return call_of(ReshapeFrames(result.shape[2:]), (window,), call.outputs, result.shape)
        return call
