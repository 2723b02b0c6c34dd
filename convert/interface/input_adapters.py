"""First calls of a graph: the conversions from a device's window to each input of a model."""

from __future__ import annotations

from typing import Any

from convert.interface.axes import InputLayout


class InputAdapter:
    """The conversion from a window to one input, as the first layer of a graph.

    Args:
        layout: Layout of the input.
        name: Name of the input.
        columns: Columns of the feature row that belong to this input; None for all.
    """

    trainable_weights = ()

    def __init__(self, layout: InputLayout, name: str, columns: slice | None = None) -> None:
        self.name = name
        # 0 lets the splitter run the adapter on single frames; None keeps it on whole windows.
        self.lookback = 0 if layout.by_frame else None
        self._convert, self._columns = layout.convert, columns

    def __call__(self, window: Any) -> Any:
        """Convert a window (N, T, *frame) to the model's input."""
        return self._convert(window if self._columns is None else window[..., self._columns])


class AllTrueMask:
    """The mask of a full window, since a device never pads one.

    Args:
        name: Name of the input.
    """

    trainable_weights = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, window: Any) -> Any:
        """Return (N, T) booleans, all of them True."""
        import tensorflow as tf

        return tf.ones(tf.shape(window)[:2], tf.bool)
