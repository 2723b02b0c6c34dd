"""Merge branches that run the same layers on single frames.

Such a model takes a window apart by `unstack`, `split` or `x[:, 3]`, and gathers it by `stack` or a Concatenate.
The first frame's branch runs on noise for every frame. If it reproduces the other branches, it becomes a per-frame
layer, which the splitter runs once per frame like any other.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from convert.execution.held_tensors import HeldTensors
from convert.execution.probe import NoiseProbe, allclose, same_numbers
from convert.execution.runner import GraphRunner, recurrences
from convert.graph.layer_graph import Call, LayerGraph, in_order, needed
from convert.graph.operators import is_opaque
from convert.passes.inserted_layers import ReshapeFrames, SyntheticLayer, UnstackFrames, call_of
from edgevid.frames import Array


def merge_frame_branches(graph: LayerGraph, probe: NoiseProbe) -> LayerGraph:
    """Replace branches that are the same for every frame by one call.

    Args:
        graph: The model.
        probe: Runs it on noise.

    Returns:
        A graph of the same computation; `graph` itself if it has no such branches.
    """
    gathers = [call for call in graph.calls if probe.frames > 1 and len(call.inputs) == probe.frames]
    probed = probe.values(graph) if gathers else None
    if probed is None:
        return graph
    # A merged branch adds its window, which a later gather may read. Other passes share the probe's own values.
    values = ChainMap[int, Array](HeldTensors(), probed)
    for gather in gathers:
        branch = _Branches(graph, values, probe.frames).common(gather)
        if branch is not None:
            window = next(graph.unused_numbers())
            values[window] = branch.frames[None]
            graph = _merge(graph, gather, branch, window, values)
    return graph


class PerFrame(SyntheticLayer):
    """Runs the branch of one frame on each frame of a window.

    Args:
        calls: The branch, in topological order.
        entry: Number of the tensor that it starts from.
        end: Number of the tensor that it produces.
        keeps_axis: Whether `entry` has an axis of time of length 1.
    """

    name = "per_frame"
    lookback = 0

    def __init__(self, calls: Sequence[Call], entry: int, end: int, *, keeps_axis: bool) -> None:
        self.calls, self._entry, self._end, self._keeps_axis = tuple(calls), entry, end, keeps_axis

    def __call__(self, window: Any) -> Any:
        """Run the branch.

        Args:
            window: (B, T, ...), of any T.

        Returns:
            (B, T, ...).
        """
        import tensorflow as tf

        batch, frames = int(window.shape[0]), int(window.shape[1])
        # A new runner per call: it holds weights as constants of the graph being traced.
        runner = GraphRunner(recurrences(self.calls), ())
        rows = []
        # Frame by frame, not folded into the batch: a branch may name its batch of 1.
        for index in range(frames):
            # The encoder's window is one frame; an index would add a slice, which XNNPACK does not run.
            one = window if frames == 1 else window[:, index : index + 1]
            frame = one if self._keeps_axis else tf.reshape(one, (batch, *window.shape[2:]))
            rows.append(runner.run_window(self.calls, {self._entry: tf.convert_to_tensor(frame)})[self._end])
        return tf.reshape(tf.stack(rows, axis=1), (batch, frames, *rows[0].shape[1:]))


class _Origin(NamedTuple):
    """The frame that a tensor is computed from.

    Attributes:
        window: Number of the window with the frame.
        frame: Index of the frame along time.
    """

    window: int
    frame: int


@dataclass(frozen=True)
class _Branch:
    """The branch of the first frame.

    Attributes:
        window: Number of the window that its frame is taken from.
        layer: The branch for any frame.
        frames: Its output on noise for each frame, (T, ...).
    """

    window: int
    layer: PerFrame
    frames: Array


class _Branches:
    """Traces which tensors of a graph belong to a single frame.

    Args:
        graph: The model.
        values: Its tensors on noise, by number.
        frames: Length of the window, T.
    """

    def __init__(self, graph: LayerGraph, values: Mapping[int, Array], frames: int) -> None:
        self._graph, self._values, self._frames = graph, values, frames
        self._origins: dict[int, _Origin] = {}
        # Tensors that are a frame itself, and not computed from one.
        self._entries: set[int] = set()
        for call in graph.calls:
            self._follow(call)

    def _follow(self, call: Call) -> None:
        origins = {self._origins.get(number) for number in call.inputs}
        inherited = origins.pop() if len(origins) == 1 else None
        if inherited is not None:
            self._origins.update(dict.fromkeys(call.outputs, inherited))
        elif is_opaque(call):
            self._find_entries(call)

    def _find_entries(self, call: Call) -> None:
        for number in call.outputs:
            origin = self._copied_frame(call, number)
            if origin is not None:
                self._origins[number] = origin
                self._entries.add(number)

    def _copied_frame(self, call: Call, number: int) -> _Origin | None:
        """Return the frame of one of a call's inputs that an output is a copy of."""
        result = self._values[number]
        for source in call.inputs:
            window = self._values[source]
            if window.ndim < 3 or window.shape[:2] != (1, self._frames):
                continue
            if result.shape not in ((1, *window.shape[2:]), (1, 1, *window.shape[2:])):
                continue
            # A tensor that equals several frames, such as zeros, is a copy of none.
            matches = [index for index in range(self._frames) if same_numbers(window[0, index], result)]
            if len(matches) == 1:
                return _Origin(source, matches[0])
        return None

    def common(self, gather: Call) -> _Branch | None:
        """Return the branch that all inputs of a call share: one per frame of one window, in order."""
        origins = [self._origins[number] for number in gather.inputs if number in self._origins]
        windows = {each.window for each in origins}
        if len(windows) != 1 or [each.frame for each in origins] != list(range(self._frames)):
            return None
        branch = self._branch_to(gather.inputs[0], windows.pop())
        if branch is None:
            return None
        is_common = all(
            allclose(branch.frames[index][None], self._values[number]) for index, number in enumerate(gather.inputs)
        )
        return branch if is_common else None

    def _branch_to(self, tensor: int, source: int) -> _Branch | None:
        """Run the calls between a frame and a tensor on every frame of the source; None if they start from several."""
        calls = self._calls_to(tensor)
        entries = {number for call in calls for number in call.inputs if number in self._entries}
        if len(entries) != 1:
            return None
        entry, window = entries.pop(), self._values[source]
        layer = PerFrame(calls, entry, tensor, keeps_axis=self._values[entry].ndim == window.ndim)
        return _Branch(source, layer, np.asarray(layer(window))[0])

    def _calls_to(self, tensor: int) -> tuple[Call, ...]:
        inside = [call for call in self._graph.calls if set(call.outputs) <= set(self._origins) - self._entries]
        return needed(inside, [tensor])


def _merge(graph: LayerGraph, gather: Call, branch: _Branch, window: int, values: Mapping[int, Array]) -> LayerGraph:
    """Return the graph with one call in place of the branches.

    Args:
        graph: The model.
        gather: The call that reads one tensor of each branch.
        branch: The common branch.
        window: Number for the window of its outputs.
        values: Tensors on noise, by number.
    """
    merged = call_of(branch.layer, (branch.window,), (window,), (1, *branch.frames.shape))
    result = values[gather.outputs[0]]
    if result.shape[:2] == (1, len(branch.frames)) and same_numbers(result, branch.frames):
        # The gather only stacks the frames: the window already holds them.
        others = [call for call in graph.calls if call is not gather]
        joint = call_of(ReshapeFrames(result.shape[2:]), (window,), gather.outputs, result.shape)
    else:
        # The gather does more, such as a Concatenate along features: pass it the frames one by one.
        others = [call for call in graph.calls if set(gather.inputs).isdisjoint(call.outputs)]
        joint = call_of(UnstackFrames(), (window,), gather.inputs, branch.frames.shape)
    calls = in_order([*others, merged, joint], graph.input)
    return graph if calls is None else replace(graph, calls=needed(calls, graph.outputs))
