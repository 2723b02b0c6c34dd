"""Runs some of a graph's calls on given tensors: recurrent ones step by step with plain operators, all others by calling the trained layer again."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

from convert.execution.conv3d import apply_flat, is_volumetric
from convert.execution.nested_recurrence import unrolled
from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.graph.arguments import flat
from convert.graph.layer_graph import Call, LayerGraph, is_nested, read_graph
from convert.graph.masks import mask_of, with_mask
from convert.graph.operators import is_operator
from convert.heads import CausalConv, Recurrent, is_causal_convolution, is_recurrent
from edgevid.errors import EdgevidError, ModelError

Tensor = Any


def recurrences(calls: Sequence[Call]) -> dict[Call, Recurrent | CausalConv]:
    """Take the layers among calls apart that carry a state from frame to frame.

    Args:
        calls: Any calls.

    Returns:
        Those calls, each with what runs it.

    Raises:
        ModelError: One cannot be unrolled.
    """
    taken: dict[Call, Recurrent | CausalConv] = {
        call: Recurrent(call.layer, call.shape) for call in calls if is_recurrent(call.layer)
    }
    convolutions = [call for call in calls if is_causal_convolution(call.layer) and len(call.shape) == 3]
    return taken | {call: CausalConv(call.layer, int(call.layer.kernel.shape[1])) for call in convolutions}


def apply(layer: Any, batch: Tensor) -> Tensor:
    """Call a layer, laid flat first where a recurrence or a volumetric layer is inside of it.

    Args:
        layer: A layer or a nested model with one input and one output.
        batch: Its input, with a static batch.

    Returns:
        Its output.
    """
    if is_recurrent(layer):
        layer_of_batch = Recurrent(layer, tuple(layer.compute_output_shape(tuple(batch.shape))))
        return layer_of_batch.run(layer_of_batch.project_window(batch))[0]
    if not is_nested(layer) or not any(
        is_recurrent(each) or is_volumetric(each) for each in internals.all_layers(layer)
    ):
        with unrolled(layer):
            return layer(batch, **in_inference(layer))
    graph = read_graph(layer)
    return GraphRunner(recurrences(graph.calls), ()).run(graph.calls, {graph.input: batch})[graph.output]


class GraphRunner:
    """Runs calls.

    Args:
        recurrent: The recurrent calls, taken apart.
        by_frame: Calls that are known to treat each frame by itself.
    """

    def __init__(self, recurrent: Mapping[Call, Recurrent | CausalConv], by_frame: Collection[Call]) -> None:
        self.recurrent = recurrent
        self._by_frame = by_frame

    @classmethod
    def of(cls, graph: LayerGraph, by_frame: Collection[Call] = ()) -> GraphRunner:
        """Make a runner of all of a graph's calls.

        Args:
            graph: The model.
            by_frame: Calls that are known to treat each frame by itself.

        Returns:
            The runner.
        """
        return cls(recurrences(graph.calls), by_frame)

    def run(
        self,
        calls: Sequence[Call],
        values: dict[int, Tensor],
        projected: Mapping[int, Tensor] | None = None,
        states: list[Tensor] | None = None,
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
        left = list(states or [])
        renewed: list[Tensor] = []
        for call in calls:
            layer = self.recurrent.get(call)
            if layer is None:
                results = self._repeat(call, values)
            else:
                sequence = (projected or {}).get(call.inputs[0])
                mask = _given_mask(call, values) if len(call.inputs) > 1 else None
                mask = mask_of(values[call.inputs[0]] if sequence is None else sequence) if mask is None else mask
                sequence = self.project(call, values[call.inputs[0]]) if sequence is None else sequence
                count = len(layer.state_shapes)
                with _named(call):
                    if states is None:
                        results = layer.run(sequence, mask=mask, initial=_initial(call, values))
                    else:
                        results, new = layer.step(sequence, left[:count], mask=mask)
                        left, renewed = left[count:], renewed + new
                results[0] = with_mask(results[0], mask) if layer.return_sequences else results[0]
            values.update(zip(call.outputs, results, strict=True))
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
            raise ModelError(
                expected=f"layer {call.name!r} ({call.kind}) to take a tensor of {shapes}", found=f"{reason_of(error)}"
            ) from error

    def project(self, call: Call, window: Tensor) -> Tensor:
        """Project a window for a recurrent call, all frames at once.

        Args:
            call: A recurrent call.
            window: (B, T, ...).

        Returns:
            (B, T, projected...).
        """
        with _named(call):
            return self.recurrent[call].project_window(window)

    def hoistable(self, calls: Sequence[Call], tensor: int) -> Call | None:
        """Find the one recurrent call that reads a tensor, where nothing else does.

        Args:
            calls: What is left of the model after its prefix.
            tensor: One that leaves the prefix.

        Returns:
            The call, or None.
        """
        readers = [call for call in calls if tensor in call.inputs]
        return (
            readers[0]
            if len(readers) == 1
            and isinstance(self.recurrent.get(readers[0]), Recurrent)
            and len(readers[0].inputs) == 1
            else None
        )


def _named(call: Call) -> AbstractContextManager[object]:
    """Name the operators of a call for its layer, so that what is measured of an operator can be told of the layer."""
    import tensorflow as tf

    return tf.name_scope(re.sub(r"[^A-Za-z0-9_.]", "_", call.name).lstrip("_") or "layer")


def _given_mask(call: Call, values: Mapping[int, Tensor]) -> Tensor:
    """A mask that was computed and given by hand; those that Keras passes on by itself are beside the tensors."""
    return call.arguments(values)[1].get("mask")


def _initial(call: Call, values: Mapping[int, Tensor]) -> list[Tensor]:
    """The states that a recurrent call is given to begin with: Keras 3 names them, tf_keras lists them behind the sequence."""
    if len(call.inputs) == 1:
        return []
    args, kwargs = call.arguments(values)
    given = kwargs.get("initial_state")
    if given is None:
        given = args[0][1:] if isinstance(args[0], (list, tuple)) else args[1:2]
    return [each for each in flat(given) if each is not None]


TIME_AXIS = 1


def repeat(call: Call, values: Mapping[int, Any], *, by_frame: bool) -> list[Any]:
    """Make a call again, on tensors whose window may be shorter than the trained one.

    Args:
        call: Any call but a recurrent one.
        values: Tensors by number, with a static batch.
        by_frame: Whether it is known to treat each frame by itself.

    Returns:
        Its outputs.
    """
    if is_operator(call):
        return make(call, values)
    window = values[call.inputs[0]]
    if call.kind == "TimeDistributed":
        return [with_mask(_each_frame(call.layer.layer, window), mask_of(window))]
    if call.kind == "Reshape" and by_frame:
        return [with_mask(_reshape_frames(call.layer, window), mask_of(window))]
    if is_volumetric(call.layer):
        return [apply_flat(call.layer, window)]
    return make(call, values)


def make(call: Call, values: Mapping[int, Any]) -> list[Any]:
    """Make a call as the model makes it.

    Args:
        call: Any call.
        values: Tensors by number.

    Returns:
        Its outputs.
    """
    from convert.execution.nested_recurrence import unrolled

    args, kwargs = call.arguments(values)
    with unrolled(call.layer):
        result = call.layer(*args, **in_inference(call.layer, kwargs))
    return list(result) if isinstance(result, (list, tuple)) else [result]


def in_inference(layer: Any, kwargs: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Say that nobody is training: layers that flip, rotate or crop at random do so where they are called alone and nothing is said.

    Args:
        layer: Any layer or operator.
        kwargs: What the model gives it; its own word on training stands.

    Returns:
        What to give it.
    """
    asks = internals.takes_training(layer)
    return {**kwargs, "training": False} if asks and kwargs.get("training") is None else dict(kwargs)


def _each_frame(layer: Any, window: Any) -> Any:
    """Apply a layer to every frame by folding time into the batch."""
    import tensorflow as tf

    from convert.execution.runner import apply

    batch, frames = int(window.shape[0]), int(window.shape[TIME_AXIS])
    result = apply(layer, tf.reshape(window, (batch * frames, *window.shape[2:])))
    return tf.reshape(result, (batch, frames, *result.shape[1:]))


def _reshape_frames(layer: Any, window: Any) -> Any:
    import tensorflow as tf

    batch, frames = int(window.shape[0]), int(window.shape[TIME_AXIS])
    size = math.prod(int(each) for each in window.shape[2:])
    target = [int(each) for each in layer.target_shape[1:]]
    if -1 in target:
        target[target.index(-1)] = size // math.prod(each for each in target if each != -1)
    return tf.reshape(window, (batch, frames, *target))
