"""A window taken apart into frames, each with a branch of its own through the same layers: `unstack`, `split`, `x[:, 3]`, then `stack` or a Concatenate.

Every branch is tried on every frame. Where one branch gives what the others give, it is a per-frame layer, run once a frame like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convert.execution.probe import allclose, run_on_noise, same_numbers
from convert.graph.layer_graph import Call, LayerGraph, needed
from convert.graph.operators import is_opaque
from convert.passes.rewriting import ReshapeFrames, call_of, in_order
from edgevid.frames import Array


def merge_frame_branches(graph: LayerGraph, window: Sequence[int]) -> LayerGraph:
    """Put branches that are the same for every frame into one call.

    Args:
        graph: The model.
        window: Shape of its window, without the batch.

    Returns:
        The same computation; the same object where there are no such branches.
    """
    gathering = [call for call in graph.calls if window[0] > 1 and len(call.inputs) == window[0]]
    if not gathering:
        return graph
    values = run_on_noise(graph, window)
    for call in gathering if values is not None else ():
        assert values is not None
        found = _Branches(graph, values, window[0]).of(call)
        graph = graph if found is None else _rewritten(graph, call, found, values)
    return graph


@dataclass(frozen=True)
class _Branch:
    """The branch of the first frame.

    Attributes:
        source: Number of the window that it is cut out of.
        entry: Number of the frame.
        keeps_axis: Whether the frame keeps an axis of time, of one.
        calls: From the frame to the tensor that is gathered.
        exit: Number of that tensor.
        frames: What it gives for each frame, (T, ...).
    """

    source: int
    entry: int
    keeps_axis: bool
    calls: tuple[Call, ...]
    exit: int
    frames: Array


class _Branches:
    """Which tensors of a graph are of one frame."""

    def __init__(self, graph: LayerGraph, values: dict[int, Array], frames: int) -> None:
        self._graph, self._values, self._frames = graph, values, frames
        # From a tensor to the window and the frame that it is of, and whether it is that frame itself.
        self._of: dict[int, tuple[int, int]] = {}
        self._cut: set[int] = set()
        for call in graph.calls:
            self._follow(call)

    def _follow(self, call: Call) -> None:
        origins = {self._of.get(number) for number in call.inputs}
        origin = origins.pop() if len(origins) == 1 else None
        for number in call.outputs:
            found = self._frame(call, number) if origin is None and is_opaque(call) else origin
            if found is not None:
                self._of[number] = found
                if origin is None:
                    self._cut.add(number)

    def _frame(self, call: Call, number: int) -> tuple[int, int] | None:
        """The window and the frame that a tensor is a copy of."""
        given = self._values[number]
        for source in call.inputs:
            window = self._values[source]
            if window.ndim < 3 or window.shape[:2] != (1, self._frames) or given.size * self._frames != window.size:
                continue
            if given.shape not in ((1, *window.shape[2:]), (1, 1, *window.shape[2:])):
                continue
            places = [place for place in range(self._frames) if same_numbers(window[0, place], given)]
            if len(places) == 1:
                return source, places[0]
        return None

    def of(self, call: Call) -> _Branch | None:
        """The one branch of a call that gathers one tensor of each frame, in their order."""
        origins = [self._of.get(number) for number in call.inputs]
        if None in origins or [each[1] for each in origins if each is not None] != list(range(self._frames)):
            return None
        source = self._of[call.inputs[0]][0]
        calls = self._between(call.inputs[0])
        entries = {number for each in calls for number in each.inputs if number in self._cut}
        if len({each[0] for each in origins if each is not None}) != 1 or len(entries) != 1:
            return None
        entry = entries.pop()
        window, keeps = self._values[source], self._values[entry].ndim == self._values[source].ndim
        branch = PerFrame(calls, entry, call.inputs[0], keeps_axis=keeps)
        frames = np.asarray(branch(window))[0]
        alike = all(allclose(frames[place][None], self._values[number]) for place, number in enumerate(call.inputs))
        return _Branch(source, entry, keeps, calls, call.inputs[0], frames) if alike else None

    def _between(self, tensor: int) -> tuple[Call, ...]:
        inside = [call for call in self._graph.calls if set(call.outputs) <= set(self._of) - self._cut]
        return needed(inside, [tensor])


class PerFrame:
    """The branch of one frame, run on each frame of a window.

    Args:
        calls: In order.
        entry: Number of the tensor that it begins with.
        leaves: Number of the one that it gives.
        keeps_axis: Whether it begins with an axis of time, of one.
    """

    trainable_weights = ()
    name = "per_frame"
    lookback = 0

    def __init__(self, calls: Sequence[Call], entry: int, leaves: int, *, keeps_axis: bool) -> None:
        self.calls, self._entry, self._leaves, self._keeps_axis = tuple(calls), entry, leaves, keeps_axis

    def __call__(self, window: Any) -> Any:
        """Run the branch.

        Args:
            window: (B, T, ...), of any T.

        Returns:
            (B, T, ...).
        """
        import tensorflow as tf

        from convert.execution.runner import GraphRunner, recurrences

        batch, frames = int(window.shape[0]), int(window.shape[1])
        runner = GraphRunner(recurrences(self.calls), ())
        # One frame after the other: a branch may name its batch of 1.
        rows = []
        for place in range(frames):
            # In the encoder there is one frame: an index would be a slice, which XNNPACK leaves to the interpreter.
            one = window if frames == 1 else window[:, place : place + 1]
            frame = one if self._keeps_axis else tf.reshape(one, (batch, *window.shape[2:]))
            rows.append(runner.run(self.calls, {self._entry: tf.convert_to_tensor(frame)})[self._leaves])
        return tf.reshape(tf.stack(rows, axis=1), (batch, frames, *rows[0].shape[1:]))


class UnstackFrames:
    """A window taken apart again, for what gathers its frames otherwise than by laying them side by side."""

    trainable_weights = ()
    name = "frames"
    lookback = None

    def __call__(self, window: Any) -> list[Any]:
        """Give each frame of (B, T, ...)."""
        import tensorflow as tf

        return list(tf.unstack(window, axis=1))


def _rewritten(graph: LayerGraph, gather: Call, branch: _Branch, values: dict[int, Array]) -> LayerGraph:
    window = 1 + max(number for call in graph.calls for number in (*call.inputs, *call.outputs))
    layer = PerFrame(branch.calls, branch.entry, branch.exit, keeps_axis=branch.keeps_axis)
    made = [call_of(layer, (branch.source,), (window,), (1, *branch.frames.shape))]
    # What is gathered next may be of this very window.
    values[window] = branch.frames[None]
    result, kept = values[gather.outputs[0]], list(graph.calls)
    if result.shape[:2] == (1, len(branch.frames)) and same_numbers(result, branch.frames):
        kept.remove(gather)
        made.append(call_of(ReshapeFrames(result.shape[2:]), (window,), gather.outputs, result.shape))
    else:
        ends = set(gather.inputs)
        kept = [call for call in kept if not ends & set(call.outputs)]
        made.append(call_of(UnstackFrames(), (window,), gather.inputs, branch.frames.shape))
    calls = in_order([*kept, *made], graph.input)
    return graph if calls is None else replace(graph, calls=needed(calls, graph.outputs))
