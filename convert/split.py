"""Split a model into what sees one frame and what sees time, and give each part as a function with static shapes and a batch of 1.

The per-frame prefix is grown from the input as far as every layer treats each frame by itself. Where it ends in a recurrent layer, that
layer's input projection goes with it (hoisting): W·x + b of a frame never changes, so the head is left with the recurrence only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from convert.accept import check_layers, window_shape
from convert.graph import Call, LayerGraph
from convert.heads import Recurrent, is_recurrent
from convert.reasons import reason_of
from convert.temporal import lookback, repeat
from edgevid.errors import EdgevidError, ModelError
from edgevid.manifest import Role

Tensor = Any


@dataclass(frozen=True)
class PartFunction:
    """One part as a function of TensorFlow tensors.

    Attributes:
        role: What a plan uses it for.
        function: From its inputs to a list of its outputs.
        input_shapes: With the batch of 1.
    """

    role: Role
    function: Callable[..., list[Tensor]]
    input_shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Split:
    """A model taken apart.

    Attributes:
        frames: Frames of the model's window, T.
        frame_shape: Shape of one frame.
        lookback: Earlier frames that the encoder also sees.
        encoder: One position of the per-frame prefix; None where there is no prefix.
        head: The rest, over T - lookback features; None where there is no prefix.
        step: One frame of the rest with its states; None where it is not causal.
        whole: All of it, over the window of frames.
        prefix_layers: Names of the layers in the encoder, in order.
        hoisted: Names of the layers whose input projection is in the encoder.
        not_causal: Why there is no step.
    """

    frames: int
    frame_shape: tuple[int, ...]
    lookback: int
    encoder: PartFunction | None
    head: PartFunction | None
    step: PartFunction | None
    whole: PartFunction
    prefix_layers: tuple[str, ...]
    hoisted: tuple[str, ...]
    not_causal: str = ""

    def as_stack(self) -> Split:
        """Give the same model left whole.

        Returns:
            The parts without a per-frame prefix, so that proofs are of what will be run.
        """
        return replace(self, lookback=0, encoder=None, head=None, step=None, prefix_layers=(), hoisted=(), not_causal="the model is run as a whole")


def split(graph: LayerGraph, *, frames: int | None = None) -> Split:
    """Find the per-frame prefix and make the parts.

    Args:
        graph: The model.
        frames: Length of the window where the model leaves it open.

    Returns:
        The parts.

    Raises:
        ModelError: The window or a frame's shape is unknown, or a layer cannot be converted.
    """
    window = window_shape(graph, frames)
    check_layers(graph)
    recurrent = {call: Recurrent(call.layer, call.shape) for call in graph.calls if is_recurrent(call.layer)}
    prefix = _Prefix(graph, window[0])
    runner = _Runner(graph, recurrent, frozenset(prefix.calls))
    whole = _whole(graph, runner, window)
    if not prefix.worthwhile(recurrent):
        return Split(window[0], window[1:], 0, None, None, None, whole, (), (), "the model has no per-frame prefix")
    return _parts(graph, prefix, runner, window, whole)


class _Prefix:
    """The calls that treat each frame by itself, and the tensors that leave them."""

    def __init__(self, graph: LayerGraph, frames: int) -> None:
        self.lookback = {graph.input: 0}
        self._rank = {graph.input: len(graph.input_shape) + 1}
        self.calls: list[Call] = []
        for call in graph.calls:
            back = self._lookback(call, frames)
            if back is not None:
                self.calls.append(call)
                self.lookback.update(dict.fromkeys(call.outputs, back))
                self._rank.update(dict.fromkeys(call.outputs, len(call.shape)))
        inside = set(self.calls)
        self.rest = [call for call in graph.calls if call not in inside]
        self.frontier = tuple(sorted({tensor for call in self.rest for tensor in call.inputs if tensor in self.lookback}))
        self._input, self.output = graph.input, graph.output

    def _lookback(self, call: Call, frames: int) -> int | None:
        backs = {self.lookback.get(tensor) for tensor in call.inputs}
        if len(backs) != 1 or None in backs:
            return None
        ranks = {self._rank[tensor] for tensor in call.inputs}
        if len(ranks) != 1 or min(ranks) < 3:
            # Broadcasting would lay one tensor's time along another's height; and without a third axis, a layer's last one is time.
            return None
        before = backs.pop() or 0
        own = lookback(call, frames - before)
        return None if own is None else before + own

    def worthwhile(self, recurrent: Mapping[Call, Recurrent]) -> bool:
        """Whether there is something to run once a frame, and something left to run over time."""
        if not self.rest or len({self.lookback[tensor] for tensor in self.frontier}) != 1:
            return False
        return self._input not in self.frontier or all(call in recurrent and call.kind != "ConvLSTM2D" for call in self.rest if self._input in call.inputs)


class _Runner:
    """Runs some of a graph's calls on given tensors."""

    def __init__(self, graph: LayerGraph, recurrent: Mapping[Call, Recurrent], by_frame: Collection[Call]) -> None:
        self._graph = graph
        self._recurrent = recurrent
        self._by_frame = by_frame

    def run(
        self, calls: tuple[Call, ...] | list[Call], values: dict[int, Tensor], projected: Mapping[int, Tensor] | None = None, states: list[Tensor] | None = None
    ) -> dict[int, Tensor]:
        """Make the calls in order.

        Args:
            calls: What to run.
            values: Tensors known so far; extended.
            projected: Tensors that are already projected for the recurrent calls that read them, by number.
            states: For a step: all states, in the order of the recurrent calls; replaced by the new ones.

        Returns:
            `values`.
        """
        pending = list(states or [])
        renewed: list[Tensor] = []
        for call in calls:
            if call not in self._recurrent:
                values.update(zip(call.outputs, self._repeat(call, values), strict=True))
                continue
            layer, source = self._recurrent[call], call.inputs[0]
            sequence = (projected or {}).get(source)
            if sequence is None:
                sequence = self.project(call, values[source])
            if states is None:
                with _named(call):
                    values[call.outputs[0]] = layer.run(sequence)
                continue
            count = len(layer.state_shapes)
            with _named(call):
                values[call.outputs[0]], new = layer.step(sequence, pending[:count])
            pending, renewed = pending[count:], renewed + new
        if states is not None:
            states[:] = renewed
        return values

    def _repeat(self, call: Call, values: Mapping[int, Tensor]) -> list[Tensor]:
        try:
            with _named(call):
                return repeat(call, values, by_frame=call in self._by_frame)
        except EdgevidError:
            raise
        except Exception as error:  # a layer may be anyone's, and raise anything
            shapes = ", ".join(str(tuple(values[tensor].shape)) for tensor in call.inputs)
            raise ModelError(f"Expected layer {call.name!r} ({call.kind}) to take a tensor of {shapes}, it says: {reason_of(error)}") from error

    def project(self, call: Call, window: Tensor) -> Tensor:
        """Project a window (1, T, ...) for a recurrent call, all frames at once."""
        import tensorflow as tf

        frames = int(window.shape[1])
        with _named(call):
            result = self._recurrent[call].project(tf.reshape(window, (frames, *window.shape[2:])))
        return tf.reshape(result, (1, frames, *result.shape[1:]))

    def hoistable(self, calls: list[Call], tensor: int) -> Call | None:
        """The one recurrent call that reads a tensor, where nothing else does."""
        readers = [call for call in calls if tensor in call.inputs]
        return readers[0] if len(readers) == 1 and readers[0] in self._recurrent and len(readers[0].inputs) == 1 else None

    def recurrent(self, call: Call) -> Recurrent | None:
        """The recurrence of a call, if it has one."""
        return self._recurrent.get(call)


def _named(call: Call) -> AbstractContextManager[object]:
    """Name the operators of a call for its layer, so that what is measured of an operator can be told of the layer."""
    import tensorflow as tf

    return tf.name_scope(re.sub(r"[^A-Za-z0-9_.]", "_", call.name).lstrip("_") or "layer")


def _whole(graph: LayerGraph, runner: _Runner, window: tuple[int, ...]) -> PartFunction:
    import tensorflow as tf

    def whole(clip: Tensor) -> list[Tensor]:
        return [runner.run(graph.calls, {graph.input: tf.reshape(clip, (1, *window))})[graph.output]]

    # A window of one frame is given as that frame: its axis of time is the batch.
    return PartFunction("whole", whole, ((1, *window) if window[0] > 1 else (1, *window[1:]),))


def _parts(graph: LayerGraph, prefix: _Prefix, runner: _Runner, window: tuple[int, ...], whole: PartFunction) -> Split:
    import tensorflow as tf

    back = prefix.lookback[prefix.frontier[0]]
    hoisted = {tensor: call for tensor in prefix.frontier if (call := runner.hoistable(prefix.rest, tensor)) is not None}
    shapes: dict[int, tuple[int, ...]] = {}

    def encode(frames: Tensor) -> list[Tensor]:
        values = runner.run(prefix.calls, {graph.input: tf.reshape(frames, (1, back + 1, *window[1:]))})
        rows = []
        for tensor in prefix.frontier:
            row = runner.project(hoisted[tensor], values[tensor]) if tensor in hoisted else values[tensor]
            shapes[tensor] = tuple(int(size) for size in row.shape[2:])
            rows.append(tf.reshape(row, (1, math.prod(shapes[tensor]))))
        return [rows[0] if len(rows) == 1 else tf.concat(rows, axis=-1)]

    def unpack(features: Tensor) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        pieces = tf.split(features, [math.prod(shapes[tensor]) for tensor in prefix.frontier], axis=-1) if len(prefix.frontier) > 1 else [features]
        given = {tensor: tf.reshape(piece, (1, int(piece.shape[1]), *shapes[tensor])) for tensor, piece in zip(prefix.frontier, pieces, strict=True)}
        return {tensor: each for tensor, each in given.items() if tensor not in hoisted}, {tensor: each for tensor, each in given.items() if tensor in hoisted}

    def head(features: Tensor) -> list[Tensor]:
        values, projected = unpack(features)
        return [runner.run(prefix.rest, values, projected)[graph.output]]

    def step(feature: Tensor, *states: Tensor) -> list[Tensor]:
        values, projected = unpack(feature[:, None])
        renewed = list(states)
        scores = runner.run(prefix.rest, values, projected, renewed)[graph.output]
        return [scores, *renewed]

    seen = (1, *window[1:]) if back == 0 else (1, back + 1, *window[1:])
    width = int(tf.function(encode, autograph=False).get_concrete_function(tf.TensorSpec(seen, tf.float32)).outputs[0].shape[1])
    obstacle = _obstacle(prefix, runner)
    states = [shape for call in prefix.rest if (each := runner.recurrent(call)) is not None for shape in each.state_shapes]
    return Split(
        frames=window[0],
        frame_shape=window[1:],
        lookback=back,
        encoder=PartFunction("encoder", encode, (seen,)),
        head=PartFunction("head", head, ((1, window[0] - back, width),)),
        step=None if obstacle else PartFunction("step", step, ((1, width), *((1, *shape) for shape in states))),
        whole=whole,
        prefix_layers=tuple(call.name for call in prefix.calls),
        hoisted=tuple(call.name for call in hoisted.values()),
        not_causal=obstacle,
    )


def _obstacle(prefix: _Prefix, runner: _Runner) -> str:
    """Name the first layer of the head that needs the whole window, if any."""
    temporal = set(prefix.frontier)
    if any(prefix.output in call.outputs and runner.recurrent(call) for call in prefix.rest):
        return "the answer is itself a state"
    layers = [(call, runner.recurrent(call)) for call in prefix.rest]
    for call, layer in layers:
        if reason := _call_obstacle(call, layer, temporal):
            return f"layer {call.name!r} ({call.kind}) {reason}"
        if temporal & set(call.inputs) and (layer is None or layer.return_sequences):
            temporal |= set(call.outputs)
    if all(layer is None for _, layer in layers):
        return "the head has no recurrent layer"
    return "" if prefix.output not in temporal else "the model answers for every frame of the window"


def _call_obstacle(call: Call, layer: Recurrent | None, temporal: set[int]) -> str:
    """Say why a call cannot be made one frame at a time, if so; `temporal` are the tensors that have an axis of time."""
    if not temporal & set(call.inputs):
        return "" if layer is None else "runs over a sequence of its own"
    if not temporal >= set(call.inputs):
        return "joins each frame with the whole window"
    if layer is None:
        return "" if lookback(call, 0) == 0 else "looks at the whole window"
    return "" if layer.causal else "runs backwards in time"
