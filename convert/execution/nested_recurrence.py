"""Recurrent layers inside of anyone's own layers: they cannot be laid flat, so they are unrolled where they are, while a part is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from convert.frameworks import internals
from convert.heads import Recurrent, is_recurrent


@contextmanager
def unrolled(layer: Any) -> Iterator[None]:
    """Let the recurrent layers that a layer holds run step by step, without a loop; the trained model itself is left as it was.

    Args:
        layer: Any layer or operator.
    """
    found = [each for each in internals.all_layers(layer, include_self=False) if is_recurrent(each)]
    # A Bidirectional is run as one, and not by the layers that it holds.
    held = [each for each in found if not any(each is inner for other in found for inner in _directions(other))]
    for each in held:
        object.__setattr__(each, "call", _call_of(each))
    try:
        yield
    finally:
        for each in held:
            object.__delattr__(each, "call")


def _directions(layer: Any) -> tuple[Any, ...]:
    return (layer.forward_layer, layer.backward_layer) if hasattr(layer, "backward_layer") else ()


def _call_of(layer: Any) -> Any:
    """What the layer does to a window of known length."""
    import tensorflow as tf

    trained = layer.call

    def call(sequence: Any, *args: Any, **kwargs: Any) -> Any:
        if any(each is not None for each in args) or None in tuple(sequence.shape):
            return trained(sequence, *args, **kwargs)
        initial = kwargs.get("initial_state")
        given = [] if initial is None else list(initial) if isinstance(initial, (list, tuple)) else [initial]
        taken = Recurrent(layer, _shape_of(layer, sequence))
        outputs = taken.run(taken.project_window(sequence), mask=kwargs.get("mask"), initial=given)
        return outputs[0] if len(outputs) == 1 else outputs

    return tf.autograph.experimental.do_not_convert(call)


def _shape_of(layer: Any, sequence: Any) -> tuple[int | None, ...]:
    """Shape of a layer's first output."""
    shape = layer.compute_output_shape(tuple(sequence.shape))
    return tuple(shape[0] if isinstance(shape[0], (list, tuple)) or hasattr(shape[0], "rank") else shape)
