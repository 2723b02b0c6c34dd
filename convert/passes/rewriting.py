"""Layers and helpers that passes over a graph share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from convert.graph.arguments import positional
from convert.graph.layer_graph import Call


class ReshapeFrames:
    """Another shape for each frame.

    Args:
        shape: Of a frame.
    """

    trainable_weights = ()
    name = "reshape"
    lookback = 0

    def __init__(self, shape: Iterable[int]) -> None:
        self._shape = tuple(shape)

    def __call__(self, window: Any) -> Any:
        """Reshape (B, T, ...)."""
        import tensorflow as tf

        return tf.reshape(window, (int(window.shape[0]), int(window.shape[1]), *self._shape))


class MergeTimeIntoBatch:
    """Time laid into the batch, for whatever reads it there."""

    trainable_weights = ()
    name = "into_batch"
    lookback = None

    def __call__(self, window: Any) -> Any:
        """Reshape (B, T, ...) to (B * T, ...)."""
        import tensorflow as tf

        return tf.reshape(window, (int(window.shape[0]) * int(window.shape[1]), *window.shape[2:]))


class ReshapeBatch:
    """Another shape for each element of a batch.

    Args:
        shape: Of an element.
    """

    trainable_weights = ()
    name = "reshape"
    lookback = None

    def __init__(self, shape: Iterable[int]) -> None:
        self._shape = tuple(shape)

    def __call__(self, batch: Any) -> Any:
        """Reshape (B, ...)."""
        import tensorflow as tf

        size = math.prod(int(each) for each in batch.shape)
        return tf.reshape(batch, (size // math.prod(self._shape), *self._shape))


def lay(shape: Sequence[int], source: int, target: int) -> Call:
    """Make a call that gives each element of a batch another shape.

    Args:
        shape: Of an element.
        source: What is read.
        target: What is given.

    Returns:
        The call.
    """
    return call_of(ReshapeBatch(shape), (source,), (target,), (1, *shape))


def call_of(layer: Any, sources: tuple[int, ...], targets: tuple[int, ...], shape: Sequence[int]) -> Call:
    """Make a call that is given tensors as they are.

    Args:
        layer: What is called.
        sources: What it reads.
        targets: What it gives.
        shape: Of the first of these, with the batch.

    Returns:
        The call.
    """
    return Call(layer, sources, targets, positional(sources), (None, *shape[1:]))


def in_order(calls: Sequence[Call], start: int) -> list[Call] | None:
    """Put calls into an order in which they can be made.

    Args:
        calls: In any order.
        start: Number of the tensor that is known.

    Returns:
        The calls, as near to the order given as can be; None where they wait for each other.
    """
    known, left, ordered = {start}, list(calls), list[Call]()
    while left:
        ready = next((call for call in left if known >= set(call.inputs)), None)
        if ready is None:
            return None
        left.remove(ready)
        ordered.append(ready)
        known |= set(ready.outputs)
    return ordered
