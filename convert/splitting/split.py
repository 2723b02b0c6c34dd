"""Split a model into an encoder of single frames and a head over time.

The parts are functions with static shapes and a batch of 1. The per-frame prefix grows from the input as long as every
layer treats each frame by itself. If it ends in a recurrent layer, that layer's input projection moves to the encoder
(hoisting). W·x + b of a frame never changes, so the head keeps the recurrence only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convert.execution.runner import GraphRunner, recurrences
from convert.graph.layer_graph import Call, LayerGraph
from convert.graph.masks import mask_of
from convert.heads import CausalConv
from convert.passes import rewrite
from convert.splitting.checks import check_layers, window_shape
from convert.splitting.features import FeatureLayout
from convert.splitting.prefix import Prefix, Stateful, causality_of
from edgevid.bundle.parts import Role

Tensor = Any
# Most numbers of state of all windows in flight. The device copies them out of the interpreter and in again for
# each frame: a megabyte in int8.
MOST_STATE = 2**20
# Most numbers that a ConvLSTM's products with frames take over a window: 8 MiB in int8, and twice that in the ring
# (docs/explanation/decisions/0007-convlstm-convolves-each-frame-once.md).
MOST_FEATURES = 2**23
# Most products of a light head. LSTM(32) over 100 frames, with two fifths of this, takes 56 us in float and 51 us in
# int8 on one x86 thread (docs/explanation/decisions/0006-windows-in-flight.md).
LIGHT_PRODUCTS = 2**19


@dataclass(frozen=True)
class PartFunction:
    """One part as a function of TensorFlow tensors.

    Attributes:
        role: Its role in a plan.
        function: From its inputs to a list of its outputs.
        input_shapes: With the batch of 1.
    """

    role: Role
    function: Callable[..., list[Tensor]]
    input_shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Split:
    """The parts of a model.

    Attributes:
        frames: Length of the model's window, T.
        frame_shape: Shape of one frame.
        lookback: Earlier frames that the encoder also sees.
        encoder: One position of the per-frame prefix; None if there is no prefix.
        head: The rest. If it is causal, one step of all windows in flight, with one row of every state per window;
            otherwise a function of the T - lookback features of a window. None if there is no prefix.
        step: The rest for one frame, with its states; None if it is not causal.
        whole: The whole model, over the frames of a window.
        prefix_layers: Names of the layers in the encoder, in order.
        hoisted: Names of the layers whose input projection is in the encoder.
        not_causal: Why there is no step; empty if there is one.
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
    def is_stream(self) -> bool:
        """Whether the step sees the frame itself, as in a file that someone else converted."""
        return self.encoder is None and self.step is not None

    @property
    def numbers_of_features(self) -> int:
        """How many numbers the features of one window are."""
        return 0 if self.head is None else (self.frames - self.lookback) * self.head.input_shapes[0][-1]

    @property
    def in_flight(self) -> bool:
        """Whether the head is a step of all windows in flight."""
        return self.head is not None and len(self.head.input_shapes) > 1

    @property
    def light_head(self) -> bool:
        """Whether a head of windows in flight has few products.

        Most of its time is then the overhead of its operators, which is the same in float and in int8.
        """
        if self.head is None or not self.in_flight:
            return False
        products = sum(rows * math.prod(units) * units[-1] for _, rows, *units in self.head.input_shapes[1:])
        return products <= LIGHT_PRODUCTS

    def as_stack(self) -> Split:
        """Return the same model without encoder, head and step, so that proofs cover what plan `stack` runs."""
        return _stack(self.frames, self.frame_shape, self.whole, "the model is run as a whole")


def split(graph: LayerGraph, *, frames: int | None = None) -> Split:
    """Find the per-frame prefix of a model and build its parts.

    Args:
        graph: The model.
        frames: Length of the window if the model leaves it open.

    Raises:
        ModelError: The shape of the window or of a frame is unknown, or a layer cannot be converted.
    """
    window = window_shape(graph, frames)
    check_layers(graph)
    graph = rewrite(graph, window)
    prefix = Prefix(graph, window)
    stateful = recurrences(graph.calls)
    # Inlining an exported function only serves the split: as a whole, it runs as it was exported.
    exported = graph.original
    whole = (
        _whole(graph, GraphRunner(stateful, frozenset(prefix.calls)), window)
        if exported is None
        else _whole(exported, GraphRunner.of(exported), window)
    )
    if not prefix.worthwhile(stateful):
        return _stack(window[0], window[1:], whole, "the model has no per-frame prefix")
    parts = _Parts(graph, prefix, stateful, window).split(whole)
    is_too_large = prefix.takes_frames_as_they_come and parts.numbers_of_features > MOST_FEATURES
    return parts.as_stack() if is_too_large else parts


def _stack(frames: int, frame_shape: tuple[int, ...], whole: PartFunction, reason: str) -> Split:
    """Return a model that is not split."""
    return Split(
        frames=frames,
        frame_shape=frame_shape,
        lookback=0,
        encoder=None,
        head=None,
        step=None,
        whole=whole,
        prefix_layers=(),
        hoisted=(),
        not_causal=reason,
    )


def _whole(graph: LayerGraph, runner: GraphRunner, window: tuple[int, ...]) -> PartFunction:
    import tensorflow as tf

    def whole(clip: Tensor) -> list[Tensor]:
        values = runner.run_window(graph.calls, {graph.input: tf.reshape(clip, (1, *window))})
        return [values[each] for each in graph.outputs]

    # A window of one frame arrives as that frame: its axis of time is the batch.
    return PartFunction("whole", whole, ((1, *window) if window[0] > 1 else (1, *window[1:]),))


class _Parts:
    """Builds encoder, head and step of a model with a prefix.

    Args:
        graph: The model.
        prefix: Its per-frame prefix.
        stateful: Its recurrent calls.
        window: Shape of its window, without the batch.
    """

    def __init__(
        self, graph: LayerGraph, prefix: Prefix, stateful: Mapping[Call, Stateful], window: tuple[int, ...]
    ) -> None:
        self._graph, self._prefix = graph, prefix
        self._frames, self._frame_shape = window[0], window[1:]
        self._causality = causality_of(prefix, stateful)
        self._runner = GraphRunner(stateful, frozenset(prefix.calls) | self._causality.by_frame)
        self._lookback = prefix.lookback[prefix.frontier[0]]
        self._hoisted = {
            tensor: call
            for tensor in prefix.frontier
            if (call := self._runner.hoistable(prefix.rest, tensor)) is not None
        }
        self._layout = FeatureLayout(prefix.frontier)

    def split(self, whole: PartFunction) -> Split:
        """Return the parts, next to the whole model."""
        encoder = self._encoder()
        # Tracing the encoder fixes the layout of its features, which the head unpacks.
        width = _width(encoder)
        states = ((1, *shape) for shape in self._state_shapes())
        step = PartFunction("step", self._step, ((1, width), *states))
        return Split(
            frames=self._frames,
            frame_shape=self._frame_shape,
            lookback=self._lookback,
            encoder=encoder,
            head=self._head_over_window(step),
            step=None if self._causality.obstacle else step,
            whole=whole,
            prefix_layers=tuple(call.name for call in self._prefix.calls),
            hoisted=tuple(call.name for call in self._hoisted.values()),
            not_causal=self._causality.obstacle,
        )

    def _encoder(self) -> PartFunction:
        # Without look-back the axis of time is the batch, as for any CNN over pictures.
        seen = (1, *self._frame_shape) if self._lookback == 0 else (1, self._lookback + 1, *self._frame_shape)
        return PartFunction("encoder", self._encode, (seen,))

    def _encode(self, frames: Tensor) -> list[Tensor]:
        import tensorflow as tf

        window = tf.reshape(frames, (1, self._lookback + 1, *self._frame_shape))
        values = self._runner.run_window(self._prefix.calls, {self._graph.input: window})
        row: list[Tensor] = []
        for tensor in self._prefix.frontier:
            features, mask = values[tensor], mask_of(values[tensor])
            if tensor in self._hoisted:
                features = self._runner.project(self._hoisted[tensor], features)
            row += self._layout.pack(tensor, features, mask)
        return [row[0] if len(row) == 1 else tf.concat(row, axis=-1)]

    def _state_shapes(self) -> list[tuple[int, ...]]:
        """Return the shapes of all states after the prefix, in the order of its calls, without the batch."""
        recurrent = [self._runner.recurrent[call] for call in self._prefix.rest if call in self._runner.recurrent]
        return [shape for each in recurrent for shape in each.state_shapes]

    def _head(self, features: Tensor) -> list[Tensor]:
        inputs, projected = self._unpack(features)
        values = self._runner.run_window(self._prefix.rest, inputs, projected)
        return [values[each] for each in self._graph.outputs]

    def _step(self, feature: Tensor, *states: Tensor) -> list[Tensor]:
        import tensorflow as tf

        inputs, projected = self._unpack(tf.expand_dims(feature, 1))
        values, renewed = self._runner.run_step(self._prefix.rest, inputs, states, projected)
        return [*(values[each] for each in self._graph.outputs), *renewed]

    def _unpack(self, features: Tensor) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Restore tensors from rows (B, T, F): those that the rest reads as they are, and projected ones."""
        tensors = self._layout.unpack(features)
        plain = {tensor: each for tensor, each in tensors.items() if tensor not in self._hoisted}
        return plain, {tensor: each for tensor, each in tensors.items() if tensor in self._hoisted}

    def _head_over_window(self, step: PartFunction) -> PartFunction:
        rows, (feature, *states) = self._frames - self._lookback, step.input_shapes
        if self._causality.obstacle or not self._fits_in_flight(rows, states):
            return PartFunction("head", self._head, ((1, rows, feature[1]),))
        return self._in_flight(step, rows)

    def _fits_in_flight(self, rows: int, states: Sequence[tuple[int, ...]]) -> bool:
        """Return whether a state per window costs less than it saves."""
        # A convolution over the ring has few operators already.
        if any(isinstance(self._runner.recurrent.get(call), CausalConv) for call in self._prefix.rest):
            return False
        return not self._layout.has_masks and rows * sum(map(math.prod, states)) <= MOST_STATE

    def _in_flight(self, step: PartFunction, rows: int) -> PartFunction:
        """Return a step of all windows in flight: a batch of `rows`, each with its own states, for the same frame."""
        import tensorflow as tf

        is_all_hoisted = set(self._prefix.frontier) == set(self._hoisted)

        def step_all(feature: Tensor, *states: Tensor) -> list[Tensor]:
            # A projected feature is added to products of the states, which broadcasts it to all rows.
            shared = feature if is_all_hoisted else tf.tile(feature, (rows, 1))
            # Squeeze the axis of 1: an index would add a slice, which XNNPACK does not run.
            outputs = step.function(shared, *(tf.squeeze(state, 0) for state in states))
            return [tf.expand_dims(each, 0) for each in outputs]

        feature, *states = step.input_shapes
        return PartFunction("head", step_all, (feature, *((1, rows, *shape[1:]) for shape in states)))


def _width(encoder: PartFunction) -> int:
    """Trace the encoder and return the number of features of a frame."""
    import tensorflow as tf

    traced = tf.function(encoder.function, autograph=False).get_concrete_function(
        tf.TensorSpec(encoder.input_shapes[0], tf.float32)
    )
    return int(traced.outputs[0].shape[1])
