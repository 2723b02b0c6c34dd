"""Unroll recurrent layers that are nested in custom layers, where the graph has no call for them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from convert.frameworks import internals
from convert.frameworks.layer_calls import replace_calls
from convert.heads import Recurrent, is_recurrent


def unrolled(layer: Any) -> AbstractContextManager[None]:
    """Return a context in which the recurrent layers inside a layer run step by step, without a loop.

    Args:
        layer: Any layer or operator. It is unchanged after the block.
    """
    nested = [each for each in internals.all_layers(layer, include_self=False) if is_recurrent(each)]
    # A Bidirectional is unrolled as one layer, not through the two that it holds.
    inner = {id(direction) for each in nested for direction in _directions(each)}
    return replace_calls({each: _unrolled_call(each) for each in nested if id(each) not in inner})


def _directions(layer: Any) -> tuple[Any, ...]:
    return (layer.forward_layer, layer.backward_layer) if hasattr(layer, "backward_layer") else ()


def _unrolled_call(layer: Any) -> Any:
    import tensorflow as tf

    trained = layer.call

    def call(sequence: Any, *args: Any, **kwargs: Any) -> Any:
        # Leave to Keras what cannot be unrolled: a window of unknown length, and arguments by position.
        # The second one is the mask in tf_keras and the states in Keras 3.
        if any(each is not None for each in args) or None in tuple(sequence.shape):
            return trained(sequence, *args, **kwargs)
        recurrent = Recurrent(layer, _output_shape(layer, sequence))
        outputs = recurrent.run(
            recurrent.project_window(sequence),
            mask=kwargs.get("mask"),
            initial=_as_list(kwargs.get("initial_state")),
        )
        return outputs[0] if len(outputs) == 1 else outputs

    return tf.autograph.experimental.do_not_convert(call)


def _as_list(states: Any) -> list[Any]:
    if states is None:
        return []
    return list(states) if isinstance(states, (list, tuple)) else [states]


def _output_shape(layer: Any, sequence: Any) -> tuple[int | None, ...]:
    """Return the shape of a layer's first output."""
    shape = layer.compute_output_shape(tuple(sequence.shape))
    # With return_state there is one shape per output: a list of tuples, or of TensorShapes in tf_keras.
    has_several = isinstance(shape[0], (list, tuple)) or hasattr(shape[0], "rank")
    return tuple(shape[0] if has_several else shape)
