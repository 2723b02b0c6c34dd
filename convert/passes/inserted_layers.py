"""Layers that passes insert into a graph, and the calls of such layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from convert.graph.arguments import positional
from convert.graph.layer_graph import Call


class SyntheticLayer:
    """Base of the layers that passes insert.

    Attributes:
        trainable_weights: Empty. The attribute tells a layer from an operator.
        name: Name of the layer in reports.
        lookback: Earlier frames that each output frame depends on. None if the layer's frames are not independent,
            or if the splitter should find out on noise.
    """

    trainable_weights: tuple[Any, ...] = ()
    name = ""
    lookback: int | None = None


class ReshapeFrames(SyntheticLayer):
    """Reshapes each frame of a window.

    Args:
        shape: New shape of a frame.
    """

    name = "reshape"
    lookback = 0

    def __init__(self, shape: Iterable[int]) -> None:
        self._shape = tuple(shape)

    def __call__(self, window: Any) -> Any:
        """Reshape (B, T, ...)."""
        import tensorflow as tf

        return tf.reshape(window, (int(window.shape[0]), int(window.shape[1]), *self._shape))


class MergeTimeIntoBatch(SyntheticLayer):
    """Folds time into the batch, for calls that read frames there."""

    name = "into_batch"

    def __call__(self, window: Any) -> Any:
        """Reshape (B, T, ...) to (B * T, ...)."""
        import tensorflow as tf

        return tf.reshape(window, (int(window.shape[0]) * int(window.shape[1]), *window.shape[2:]))


class ReshapeBatch(SyntheticLayer):
    """Reshapes each element of a batch.

    Args:
        shape: New shape of an element.
    """

    name = "reshape"

    def __init__(self, shape: Iterable[int]) -> None:
        self._shape = tuple(shape)

    def __call__(self, batch: Any) -> Any:
        """Reshape (B, ...)."""
        import tensorflow as tf

        size = math.prod(int(each) for each in batch.shape)
        return tf.reshape(batch, (size // math.prod(self._shape), *self._shape))


class TakeFrame(SyntheticLayer):
    """Takes one frame out of a window.

    Args:
        index: Position of the frame along time.
    """

    name = "frame"

    def __init__(self, index: int) -> None:
        self._index = index

    def __call__(self, window: Any) -> Any:
        """Slice (B, T, ...) to (B, ...)."""
        return window[:, self._index]


class StackFrames(SyntheticLayer):
    """Stacks frames to a window."""

    name = "stack"

    def __call__(self, *frames: Any) -> Any:
        """Stack T tensors (B, ...) to (B, T, ...)."""
        import tensorflow as tf

        return tf.stack(frames, axis=1)


class UnstackFrames(SyntheticLayer):
    """Splits a window into its frames."""

    name = "frames"

    def __call__(self, window: Any) -> list[Any]:
        """Unstack (B, T, ...) to T tensors (B, ...)."""
        import tensorflow as tf

        return list(tf.unstack(window, axis=1))


def call_of(layer: Any, sources: tuple[int, ...], targets: tuple[int, ...], shape: Sequence[int]) -> Call:
    """Create a call of a layer with tensors as positional arguments.

    Args:
        layer: The layer.
        sources: Numbers of the tensors that it reads.
        targets: Numbers of the tensors that it produces.
        shape: Shape of the first of these, with a batch of any size.
    """
    return Call(layer, sources, targets, positional(sources), (None, *shape[1:]))
