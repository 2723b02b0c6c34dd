"""Frames laid into the batch by hand: `reshape(x, (-1, H, W, C))`, a CNN, `reshape(x, (-1, T, F))`, as operators, in Lambda or in anyone's layers.

What lies between treats frames one by one, but its tensors have no axis of time, and the second reshape names T, so that it takes no single frame.
So the calls between are put together into one, which takes windows of any length: it is then a per-frame layer like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from convert.execution.probe import is_batchwise, run_on_noise, same_numbers
from convert.graph.layer_graph import Call, LayerGraph, needed
from convert.graph.operators import is_opaque
from convert.passes.rewriting import MergeTimeIntoBatch, ReshapeFrames, call_of, in_order, lay
from edgevid.frames import Array


def unfold_time(graph: LayerGraph, window: Sequence[int]) -> LayerGraph:
    """Put what lies between folding and unfolding of time together.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.

    Returns:
        The same computation; the same object where nothing is folded.
    """
    if window[0] < 2 or not any(is_opaque(call) for call in graph.calls):
        return graph
    values = run_on_noise(graph, window)
    folded = _Folded(graph, values, window[0]) if values is not None else None
    return graph if folded is None or not folded.entries else folded.rewritten()


class _Folded:
    """The tensors of a graph whose batch is time."""

    def __init__(self, graph: LayerGraph, values: dict[int, Array], frames: int) -> None:
        self._graph, self._values, self._frames = graph, values, frames
        # From a tensor whose batch is time to where it comes from, which still has an axis of time.
        self.entries: dict[int, int] = {}
        self._inside: list[Call] = []
        self._member: set[int] = set()
        for call in graph.calls:
            self._take(call)
        for entry in [each for each in self.entries if not self._leads_anywhere(each)]:
            del self.entries[entry]
            self._member.remove(entry)

    def _leads_anywhere(self, entry: int) -> bool:
        """Whether anything is done to its frames, or time taken out of the batch again: frames that are only turned are no other feature."""
        if any(entry in call.inputs for call in self._inside):
            return True
        results = [self._values[call.outputs[0]] for call in self._graph.consumers(entry)]
        return any(each.shape[:2] == (1, self._frames) and same_numbers(self._values[entry], each) for each in results)

    def _take(self, call: Call) -> None:
        source = self._folds(call)
        if source is not None:
            self.entries[call.outputs[0]] = source
            self._member.add(call.outputs[0])
            return
        data = [number for number in call.inputs if number in self._member]
        shapes = [self._values[number].shape for number in call.outputs]
        if not data or any(not shape or shape[0] != self._frames for shape in shapes):
            return
        reshapes = len(data) == len(call.outputs) == 1 and same_numbers(
            self._values[data[0]], self._values[call.outputs[0]]
        )
        if is_opaque(call) and reshapes:
            # It may name T among its numbers; what it does to each frame is to give it another shape.
            call = lay(self._values[call.outputs[0]].shape[1:], data[0], call.outputs[0])
        elif len(data) != len(call.inputs) or not is_batchwise(call, self._values):
            return
        self._inside.append(call)
        self._member |= set(call.outputs)

    def _folds(self, call: Call) -> int | None:
        """The tensor whose axis of time a call lays into the batch."""
        if not is_opaque(call) or len(call.outputs) != 1:
            return None
        result = self._values[call.outputs[0]]
        if result.ndim < 2 or result.shape[0] != self._frames:
            return None
        for number in call.inputs:
            given = self._values[number]
            if (
                given.ndim > 2
                and given.shape[:2] == (1, self._frames)
                and number not in self._member
                and same_numbers(given, result)
            ):
                return number
        return None

    def rewritten(self) -> LayerGraph:
        """The graph with one call for each group of calls that belong together."""
        kept = [call for call in self._graph.calls if not (set(call.outputs) & self._member)]
        numbers = iter(
            range(1 + max(number for call in self._graph.calls for number in (*call.inputs, *call.outputs)), 2**31)
        )
        made: list[Call] = []
        for group in self._groups():
            wanted = [
                tensor
                for tensor in group
                if any(tensor in call.inputs for call in kept) or tensor in self._graph.outputs
            ]
            if not wanted:
                continue
            windows = {tensor: next(numbers) for tensor in wanted}
            made.append(self._together(group, windows))
            for tensor, window in windows.items():
                kept = [self._unfold(call, tensor, window) for call in kept]
                made.append(call_of(MergeTimeIntoBatch(), (window,), (tensor,), self._values[tensor].shape))
        calls = in_order([*kept, *made], self._graph.input)
        return self._graph if calls is None else replace(self._graph, calls=needed(calls, self._graph.outputs))

    def _groups(self) -> list[set[int]]:
        """Folded tensors that come from each other."""
        groups = [{entry} for entry in self.entries]
        for call in self._inside:
            touched = [group for group in groups if group & set(call.inputs)]
            groups = [group for group in groups if group not in touched] + [set(call.outputs).union(*touched)]
        return groups

    def _together(self, group: set[int], windows: dict[int, int]) -> Call:
        entries = {entry: source for entry, source in self.entries.items() if entry in group}
        inside = needed([call for call in self._inside if set(call.outputs) & group], windows)
        layer = FrameByFrame(inside, {entry: self._values[entry].shape[1:] for entry in entries}, tuple(windows))
        first = self._values[next(iter(windows))]
        return call_of(layer, tuple(entries.values()), tuple(windows.values()), (1, *first.shape))

    def _unfold(self, call: Call, tensor: int, window: int) -> Call:
        """A call that gives time its axis back, on the window itself."""
        if tensor not in call.inputs or not is_opaque(call) or len(call.outputs) != 1:
            return call
        result = self._values[call.outputs[0]]
        if result.ndim < 3 or result.shape[:2] != (1, self._frames) or not same_numbers(self._values[tensor], result):
            return call
        return call_of(ReshapeFrames(result.shape[2:]), (window,), call.outputs, result.shape)


class FrameByFrame:
    """Calls on frames in a batch as one call on windows.

    Args:
        calls: In order.
        entries: Numbers of the tensors that they begin with, and the shape of one frame of each.
        exits: Numbers of those that leave.
    """

    trainable_weights = ()
    name = "frame_by_frame"
    lookback = 0

    def __init__(self, calls: Sequence[Call], entries: Mapping[int, Sequence[int]], exits: Sequence[int]) -> None:
        self.calls, self._entries, self._exits = tuple(calls), dict(entries), tuple(exits)

    def __call__(self, *windows: Any) -> list[Any]:
        """Make the calls.

        Args:
            windows: Each (B, T, ...), of any T.

        Returns:
            Each (B, T, ...).
        """
        import tensorflow as tf

        from convert.execution.runner import GraphRunner, recurrences

        batch, frames = int(windows[0].shape[0]), int(windows[0].shape[1])
        given = {
            entry: tf.reshape(window, (batch * frames, *shape))
            for (entry, shape), window in zip(self._entries.items(), windows, strict=True)
        }
        values = GraphRunner(recurrences(self.calls), ()).run(self.calls, given)
        return [tf.reshape(values[each], (batch, frames, *values[each].shape[1:])) for each in self._exits]
