"""Run calls of a graph: recurrent ones step by step with plain operators, all others by calling the layer again."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from convert.execution.conv3d import apply_flat, is_volumetric
from convert.execution.nested_recurrence import unrolled
from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.graph.arguments import flat
from convert.graph.layer_graph import Call, LayerGraph, is_nested, read_graph
from convert.graph.masks import mask_of, with_mask
from convert.graph.operators import fixed_tensors, is_operator
from convert.heads import CausalConv, Recurrent, is_causal_convolution, is_recurrent
from edgevid.errors import EdgevidError, ModelError

Tensor = Any
TIME_AXIS = 1
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


def recurrences(calls: Sequence[Call]) -> dict[Call, Recurrent | CausalConv]:
    """Return the calls that carry a state from frame to frame, each with the object that runs it.

    Raises:
        ModelError: A recurrent layer cannot be unrolled.
    """
    recurrent: dict[Call, Recurrent | CausalConv] = {
        call: Recurrent(call.layer, call.shape) for call in calls if is_recurrent(call.layer)
    }
    # Of rank 3 only: given more axes, tf_keras folds the first ones into the batch.
    convolutions = [call for call in calls if is_causal_convolution(call.layer) and len(call.shape) == 3]
    return recurrent | {call: CausalConv(call.layer, int(call.layer.kernel.shape[1])) for call in convolutions}


class GraphRunner:
    """Runs the calls of a graph over a window or for one frame.

    Args:
        recurrent: The recurrent calls, as `recurrences` returns them.
        by_frame: Calls that treat each frame by itself.
    """

    def __init__(self, recurrent: Mapping[Call, Recurrent | CausalConv], by_frame: Collection[Call]) -> None:
        self.recurrent = recurrent
        self._by_frame = by_frame

    @classmethod
    def of(cls, graph: LayerGraph, by_frame: Collection[Call] = ()) -> GraphRunner:
        """Create a runner for all calls of a graph.

        Args:
            graph: The model.
            by_frame: Calls that treat each frame by itself.
        """
        return cls(recurrences(graph.calls), by_frame)

    def run_window(
        self, calls: Sequence[Call], inputs: Mapping[int, Tensor], projected: Mapping[int, Tensor] = _NOTHING
    ) -> dict[int, Tensor]:
        """Run calls over a window, recurrent ones from their initial states.

        Args:
            calls: In topological order.
            inputs: Tensors (B, T, ...) by number.
            projected: Tensors that are already projected for the recurrent call that reads them, by number.

        Returns:
            The inputs and every output, by number.
        """
        values = dict(inputs)
        for each in self._recurrent_calls(calls, values, projected):
            with _name_scope(each.call):
                outputs = each.layer.run(each.sequence, mask=each.mask, initial=each.initial)
            each.store(outputs, values)
        return values

    def run_step(
        self,
        calls: Sequence[Call],
        inputs: Mapping[int, Tensor],
        states: Sequence[Tensor],
        projected: Mapping[int, Tensor] = _NOTHING,
    ) -> tuple[dict[int, Tensor], list[Tensor]]:
        """Run calls for one frame.

        Args:
            calls: In topological order.
            inputs: Tensors (B, 1, ...) by number.
            states: States of all recurrent calls, in the order of the calls.
            projected: Tensors that are already projected for the recurrent call that reads them, by number.

        Returns:
            The inputs and every output, by number; and the new states, in the order of `states`.
        """
        values, remaining = dict(inputs), iter(states)
        renewed: list[Tensor] = []
        for each in self._recurrent_calls(calls, values, projected):
            own = list(itertools.islice(remaining, len(each.layer.state_shapes)))
            with _name_scope(each.call):
                outputs, new = each.layer.step(each.sequence, own, mask=each.mask)
            each.store(outputs, values)
            renewed += new
        return values, renewed

    def _recurrent_calls(
        self, calls: Sequence[Call], values: dict[int, Tensor], projected: Mapping[int, Tensor]
    ) -> Iterator[_RecurrentCall]:
        """Run plain calls into `values` and yield each recurrent call when it is due.

        The caller stores the outputs of a recurrent call in `values` before it resumes the generator.
        """
        for call in calls:
            if call in self.recurrent:
                yield self._prepare(call, values, projected)
            else:
                values.update(zip(call.outputs, self._run_plain(call, values), strict=True))

    def _prepare(self, call: Call, values: Mapping[int, Tensor], projected: Mapping[int, Tensor]) -> _RecurrentCall:
        source = call.inputs[0]
        known = {**values, **projected}
        # A mask argument beats the mask that Keras propagates with the sequence.
        mask = _mask_argument(call, known)
        if mask is None:
            mask = mask_of(known[source])
        sequence = projected[source] if source in projected else self.project(call, values[source])
        return _RecurrentCall(call, self.recurrent[call], sequence, mask, _initial_states(call, known))

    def _run_plain(self, call: Call, values: Mapping[int, Tensor]) -> list[Tensor]:
        try:
            with _name_scope(call):
                return _repeat(call, values, by_frame=call in self._by_frame)
        except EdgevidError:
            raise
        except Exception as error:  # a custom layer may raise anything
            shapes = ", ".join(str(tuple(values[tensor].shape)) for tensor in call.inputs)
            raise ModelError(
                expected=f"layer {call.name!r} ({call.kind}) to take a tensor of {shapes}", found=reason_of(error)
            ) from error

    def project(self, call: Call, window: Tensor) -> Tensor:
        """Project a window for a recurrent call, all frames at once.

        Args:
            call: A recurrent call.
            window: (B, T, ...).

        Returns:
            (B, T, projected...).
        """
        with _name_scope(call):
            return self.recurrent[call].project_window(window)

    def hoistable(self, calls: Sequence[Call], tensor: int) -> Call | None:
        """Return the recurrent call whose input projection can move to the encoder.

        Args:
            calls: The calls after the prefix.
            tensor: Number of a tensor that leaves the prefix.

        Returns:
            The only reader of the tensor, if it is a recurrent layer with no other input; else None.
        """
        readers = [call for call in calls if tensor in call.inputs]
        if len(readers) != 1 or len(readers[0].inputs) != 1:
            return None
        return readers[0] if isinstance(self.recurrent.get(readers[0]), Recurrent) else None


@dataclass(frozen=True)
class _RecurrentCall:
    """A recurrent call whose inputs are ready.

    Attributes:
        call: The call.
        layer: The object that runs it.
        sequence: (B, T, projected...).
        mask: (B, T) booleans, or None.
        initial: The states that it starts from over a window; empty for zeros.
    """

    call: Call
    layer: Recurrent | CausalConv
    sequence: Tensor
    mask: Tensor
    initial: list[Tensor]

    def store(self, outputs: list[Tensor], values: dict[int, Tensor]) -> None:
        """Add the outputs to the tensors by number; a sequence keeps the mask."""
        if self.layer.return_sequences:
            outputs = [with_mask(outputs[0], self.mask), *outputs[1:]]
        values.update(zip(self.call.outputs, outputs, strict=True))


def _name_scope(call: Call) -> AbstractContextManager[object]:
    """Name the operators of a call after its layer, so that measurements of operators can name the layer."""
    import tensorflow as tf

    return tf.name_scope(re.sub(r"[^A-Za-z0-9_.]", "_", call.name).lstrip("_") or "layer")


def _mask_argument(call: Call, values: Mapping[int, Tensor]) -> Tensor:
    """Return the mask that the model passes to a recurrent call, (B, T) booleans, or None."""
    import tensorflow as tf

    args, kwargs = call.arguments(values)
    # By position it is the third argument, after the sequence and its states.
    mask = kwargs.get("mask", args[2] if len(args) > 2 else None)
    if mask is None:
        return None
    mask, windows = tf.cast(tf.convert_to_tensor(mask), tf.bool), values[call.inputs[0]].shape[0]
    if mask.shape[0] not in (1, windows):
        raise ModelError(
            expected="a mask for one window",
            found=f"one for a batch of {mask.shape[0]} in layer {call.name!r} ({call.kind})",
            hint="Pass the layer a mask of shape (1, frames) and save the model again.",
        )
    return mask


def _initial_states(call: Call, values: Mapping[int, Tensor]) -> list[Tensor]:
    """Return the initial states that the model passes to a recurrent call; empty for zeros."""
    import tensorflow as tf

    args, kwargs = call.arguments(values)
    states = kwargs.get("initial_state")
    if states is None:
        # Keras 3 passes the states by name; tf_keras lists them after the sequence.
        states = args[0][1:] if isinstance(args[0], (list, tuple)) else args[1:2]
    # Arrays in a file may be of float64.
    return [tf.cast(tf.convert_to_tensor(each), tf.float32) for each in flat(states) if each is not None]


def _repeat(call: Call, values: Mapping[int, Any], *, by_frame: bool) -> list[Any]:
    """Repeat a plain call on tensors whose window may be shorter than the trained one.

    Args:
        call: Any call that is not recurrent.
        values: Tensors by number, with a static batch.
        by_frame: Whether the call treats each frame by itself.
    """
    if is_operator(call):
        return run_call(call, values)
    window = values[call.inputs[0]]
    if fixed_tensors(call):
        return run_call(call, values)
    if call.kind == "TimeDistributed":
        return [with_mask(_apply_to_frames(call.layer.layer, window), mask_of(window))]
    if call.kind == "Reshape" and by_frame:
        # The layer names T, and would reject a shorter window.
        return [with_mask(_reshape_frames(call.layer, window), mask_of(window))]
    if is_volumetric(call.layer):
        return [apply_flat(call.layer, window)]
    return run_call(call, values)


def run_call(call: Call, values: Mapping[int, Any]) -> list[Any]:
    """Call a layer as the model calls it.

    Args:
        call: Any call.
        values: Tensors by number.

    Returns:
        The call's outputs.
    """
    args, kwargs = call.arguments(values)
    with unrolled(call.layer):
        result = call.layer(*args, **_inference_options(call.layer, kwargs))
    return list(result) if isinstance(result, (list, tuple)) else [result]


def apply(layer: Any, batch: Tensor) -> Tensor:
    """Apply a layer to a batch.

    Args:
        layer: A layer or a nested model with one input and one output.
        batch: Its input, with a static batch.
    """
    if is_recurrent(layer):
        recurrent = Recurrent(layer, tuple(layer.compute_output_shape(tuple(batch.shape))))
        return recurrent.run(recurrent.project_window(batch))[0]
    if is_nested(layer) and any(is_recurrent(each) or is_volumetric(each) for each in internals.all_layers(layer)):
        # Keras would run the inner layers with loops or three-dimensional operators: run the model call by call.
        graph = read_graph(layer)
        return GraphRunner.of(graph).run_window(graph.calls, {graph.input: batch})[graph.output]
    with unrolled(layer):
        return layer(batch, **_inference_options(layer))


def _inference_options(layer: Any, kwargs: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """Return keyword arguments with `training=False` added, unless the model sets `training` itself.

    Layers that flip, rotate or crop at random do so when called alone without it.
    """
    needs_flag = internals.takes_training(layer) and kwargs.get("training") is None
    return {**kwargs, "training": False} if needs_flag else dict(kwargs)


def _apply_to_frames(layer: Any, window: Any) -> Any:
    """Apply a layer to every frame by folding time into the batch."""
    import tensorflow as tf

    batch, frames = int(window.shape[0]), int(window.shape[TIME_AXIS])
    result = apply(layer, tf.reshape(window, (batch * frames, *window.shape[2:])))
    return tf.reshape(result, (batch, frames, *result.shape[1:]))


def _reshape_frames(layer: Any, window: Any) -> Any:
    """Reshape each frame to the layer's target shape without its first axis, which is time."""
    import tensorflow as tf

    batch, frames = int(window.shape[0]), int(window.shape[TIME_AXIS])
    size = math.prod(int(each) for each in window.shape[2:])
    target = [int(each) for each in layer.target_shape[1:]]
    if -1 in target:
        target[target.index(-1)] = size // math.prod(each for each in target if each != -1)
    return tf.reshape(window, (batch, frames, *target))
