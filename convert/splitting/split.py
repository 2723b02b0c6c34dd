"""Split a model into what sees one frame and what sees time, and give each part as a function with static shapes and a batch of 1.

The per-frame prefix is grown from the input as far as every layer treats each frame by itself. Where it ends in a recurrent layer, that
layer's input projection goes with it (hoisting): W·x + b of a frame never changes, so the head is left with the recurrence only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convert.execution.runner import GraphRunner, recurrences
from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.masks import as_numbers, from_numbers, mask_of, with_mask
from convert.heads import CausalConv
from convert.passes.exported_function import inline_exported_function
from convert.passes.frame_branches import merge_frame_branches
from convert.passes.time_in_batch import unfold_time
from convert.splitting.checks import check_layers, window_shape
from convert.splitting.prefix import Prefix, Stateful, causality_of
from edgevid.bundle.manifest import Role

Tensor = Any
# Numbers of state that are copied out of the interpreter and in again for each frame: a megabyte in int8.
MOST_STATE = 2**20
# What a ConvLSTM's products with frames may grow to over a window: 8 MiB in int8, and twice that in the ring (docs/explanation/decisions/0007-convlstm-convolves-each-frame-once.md).
MOST_FEATURES = 2**23
# LSTM(32) over 100 frames, with two fifths of this, takes 56 us in float and 51 in int8 on one x86 thread (docs/explanation/decisions/0006-windows-in-flight.md).
LIGHT_PRODUCTS = 2**19


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
        head: The rest, over T - lookback features; where it is causal, one step of all windows in flight, with a row of every state for
            each of them; None where there is no prefix.
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

    @property
    def numbers_of_features(self) -> int:
        """How many numbers the features of a window are."""
        return 0 if self.head is None else (self.frames - self.lookback) * self.head.input_shapes[0][-1]

    @property
    def in_flight(self) -> bool:
        """Whether the head is a step of all windows in flight."""
        return self.head is not None and len(self.head.input_shapes) > 1

    @property
    def light_head(self) -> bool:
        """Whether a head of windows in flight multiplies so little that its operators' own time, the same in float and int8, is most of its cost."""
        if self.head is None or not self.in_flight:
            return False
        return (
            sum(rows * math.prod(units) * units[-1] for _, rows, *units in self.head.input_shapes[1:]) <= LIGHT_PRODUCTS
        )

    def as_stack(self) -> Split:
        """Give the same model left whole.

        Returns:
            The parts without a per-frame prefix, so that proofs are of what will be run.
        """
        return replace(
            self,
            lookback=0,
            encoder=None,
            head=None,
            step=None,
            prefix_layers=(),
            hoisted=(),
            not_causal="the model is run as a whole",
        )


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
    flat = inline_exported_function(graph, window)
    given, graph = graph, merge_frame_branches(unfold_time(flat, window), window)
    prefix = Prefix(graph, window)
    stateful = recurrences(graph.calls)
    whole = (
        _whole(graph, GraphRunner(stateful, frozenset(prefix.calls)), window)
        if flat is given
        else _whole(given, GraphRunner.of(given), window)
    )
    if not prefix.worthwhile(stateful):
        return Split(window[0], window[1:], 0, None, None, None, whole, (), (), "the model has no per-frame prefix")
    parts = _Parts(graph, prefix, stateful, window).split(whole)
    grows = prefix.takes_frames_as_they_come and parts.numbers_of_features > MOST_FEATURES
    return parts.as_stack() if grows else parts


def _whole(graph: LayerGraph, runner: GraphRunner, window: tuple[int, ...]) -> PartFunction:
    import tensorflow as tf

    def whole(clip: Tensor) -> list[Tensor]:
        values = runner.run(graph.calls, {graph.input: tf.reshape(clip, (1, *window))})
        return [values[each] for each in graph.outputs]

    # A window of one frame is given as that frame: its axis of time is the batch.
    return PartFunction("whole", whole, ((1, *window) if window[0] > 1 else (1, *window[1:]),))


class _Parts:
    """Encoder, head and step of a model with a prefix. A feature is one row: each tensor that leaves the prefix, and the mask beside it if it has one."""

    def __init__(
        self, graph: LayerGraph, prefix: Prefix, stateful: Mapping[Call, Stateful], window: tuple[int, ...]
    ) -> None:
        self._graph, self._prefix, self._window = graph, prefix, window
        self._causality = causality_of(prefix, stateful)
        self._runner = GraphRunner(stateful, frozenset(prefix.calls) | self._causality.by_frame)
        self._back = prefix.lookback[prefix.frontier[0]]
        self._hoisted = {
            tensor: call
            for tensor in prefix.frontier
            if (call := self._runner.hoistable(prefix.rest, tensor)) is not None
        }
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._masked: dict[int, bool] = {}
        self._boolean: set[int] = set()

    def split(self, whole: PartFunction) -> Split:
        """Give the parts as functions of static shapes."""
        import tensorflow as tf

        frames, frame, back = self._window[0], self._window[1:], self._back
        seen = (1, *frame) if back == 0 else (1, back + 1, *frame)
        width = int(
            tf.function(self._encode, autograph=False)
            .get_concrete_function(tf.TensorSpec(seen, tf.float32))
            .outputs[0]
            .shape[1]
        )
        states = [
            shape
            for call in self._prefix.rest
            if (each := self._runner.recurrent.get(call)) is not None
            for shape in each.state_shapes
        ]
        step = PartFunction("step", self._step, ((1, width), *((1, *shape) for shape in states)))
        in_flight = not self._causality.obstacle and self._may_fly(frames - back, states)
        return Split(
            frames=frames,
            frame_shape=frame,
            lookback=back,
            encoder=PartFunction("encoder", self._encode, (seen,)),
            head=self._in_flight(step, frames - back)
            if in_flight
            else PartFunction("head", self._head, ((1, frames - back, width),)),
            step=None if self._causality.obstacle else step,
            whole=whole,
            prefix_layers=tuple(call.name for call in self._prefix.calls),
            hoisted=tuple(call.name for call in self._hoisted.values()),
            not_causal=self._causality.obstacle,
        )

    def _encode(self, frames: Tensor) -> list[Tensor]:
        import tensorflow as tf

        values = self._runner.run(
            self._prefix.calls, {self._graph.input: tf.reshape(frames, (1, self._back + 1, *self._window[1:]))}
        )
        rows: list[Tensor] = []
        for tensor in self._prefix.frontier:
            mask = mask_of(values[tensor])
            row = (
                self._runner.project(self._hoisted[tensor], values[tensor])
                if tensor in self._hoisted
                else values[tensor]
            )
            self._shapes[tensor], self._masked[tensor] = tuple(int(size) for size in row.shape[2:]), mask is not None
            if row.dtype == tf.bool:
                self._boolean.add(tensor)
                row = as_numbers(row)
            rows += [
                tf.reshape(row, (1, math.prod(self._shapes[tensor]))),
                *([] if mask is None else [as_numbers(mask)]),
            ]
        return [rows[0] if len(rows) == 1 else tf.concat(rows, axis=-1)]

    def _unpack(self, features: Tensor) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Take rows (B, T, F) apart: tensors that the rest reads as they are, and those that are projected already."""
        import tensorflow as tf

        sizes = [
            size
            for tensor in self._prefix.frontier
            for size in (math.prod(self._shapes[tensor]), *([1] if self._masked[tensor] else []))
        ]
        pieces = iter(_pieces(features, sizes))
        given: dict[int, Tensor] = {}
        for tensor in self._prefix.frontier:
            piece = next(pieces)
            rows = tf.reshape(piece, (int(piece.shape[0]), int(piece.shape[1]), *self._shapes[tensor]))
            rows = from_numbers(rows) if tensor in self._boolean else rows
            given[tensor] = with_mask(rows, from_numbers(next(pieces)[..., 0]) if self._masked[tensor] else None)
        plain = {tensor: each for tensor, each in given.items() if tensor not in self._hoisted}
        return plain, {tensor: each for tensor, each in given.items() if tensor in self._hoisted}

    def _head(self, features: Tensor) -> list[Tensor]:
        values, projected = self._unpack(features)
        values = self._runner.run(self._prefix.rest, values, projected)
        return [values[each] for each in self._graph.outputs]

    def _step(self, feature: Tensor, *states: Tensor) -> list[Tensor]:
        import tensorflow as tf

        values, projected = self._unpack(tf.expand_dims(feature, 1))
        renewed = list(states)
        values = self._runner.run(self._prefix.rest, values, projected, renewed)
        return [*(values[each] for each in self._graph.outputs), *renewed]

    def _may_fly(self, rows: int, states: Sequence[tuple[int, ...]]) -> bool:
        """Whether carrying a state for every window costs less than what it saves: a convolution over the ring is few operators already."""
        convolutions = any(isinstance(self._runner.recurrent.get(call), CausalConv) for call in self._prefix.rest)
        return not convolutions and not any(self._masked.values()) and rows * sum(map(math.prod, states)) <= MOST_STATE

    def _in_flight(self, step: PartFunction, rows: int) -> PartFunction:
        """One step of as many windows as are in flight: a batch of them, each with its own states, that all see the same frame."""
        import tensorflow as tf

        hoisted = set(self._prefix.frontier) == set(self._hoisted)

        def step_all(feature: Tensor, *states: Tensor) -> list[Tensor]:
            # A projected feature meets the states in a sum, which repeats it for every row by itself.
            shared = feature if hoisted else tf.tile(feature, (rows, 1))
            # Axes of one are taken off by squeezing: an index would be a slice, which XNNPACK leaves to the interpreter.
            return [
                tf.expand_dims(each, 0) for each in step.function(shared, *(tf.squeeze(state, 0) for state in states))
            ]

        feature, *states = step.input_shapes
        return PartFunction("head", step_all, (feature, *((1, rows, *shape[1:]) for shape in states)))


def _pieces(features: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Cut rows (B, T, F) into pieces.

    TensorFlow's quantiser gives a tensor that is split, or sliced, the range of one of its pieces, which cuts off the others. What is sliced here is a product
    in which all but one piece is zero: it has that piece's range, and the features keep theirs.
    """
    import tensorflow as tf

    if len(sizes) == 1:
        return [features]
    places, cut = np.arange(sum(sizes)), []
    for end, size in zip(itertools.accumulate(sizes), sizes, strict=True):
        kept = tf.constant((places >= end - size) & (places < end), tf.float32)
        cut.append(tf.slice(features * kept, (0, 0, end - size), (-1, -1, size)))
    return cut
