"""Choose the cell that runs a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.heads.cell_interface import Cell
from convert.heads.composed import KerasCell, StackedCell
from convert.heads.convlstm import ConvLstmCell
from convert.heads.gru import GruCell
from convert.heads.lstm import LstmCell
from convert.heads.simple_rnn import SimpleRnnCell
from edgevid.errors import ModelError

_FAMILIES: dict[str, Callable[[Any], Cell]] = {"LSTMCell": LstmCell, "GRUCell": GruCell, "SimpleRNNCell": SimpleRnnCell}


def cell_of(layer: Any, shape: tuple[int | None, ...]) -> Cell:
    """Return the cell of a recurrent layer.

    Args:
        layer: A recurrent Keras layer of either framework.
        shape: Shape of its output, with the batch.

    Returns:
        A cell of this package for Keras's own families; a `KerasCell` around any other.

    Raises:
        ModelError: The layer has no cell, so it cannot run one frame at a time.
    """
    cell = getattr(layer, "cell", None)
    if cell is None:
        raise ModelError(
            expected="a recurrent layer with a cell",
            found=f"{type(layer).__name__} {layer.name!r}",
            hint="Rebuild the model with LSTM, GRU or SimpleRNN.",
        )
    return _split_cell(cell, shape)


def _split_cell(cell: Any, shape: tuple[int | None, ...]) -> Cell:
    kind = type(cell).__name__
    if kind == "StackedRNNCells":
        return StackedCell([_split_cell(each, shape) for each in cell.cells])
    if kind in _FAMILIES and not _is_custom(cell):
        return _FAMILIES[kind](cell)
    if kind == "ConvLSTMCell":
        return _split_convlstm(cell, shape)
    return KerasCell(cell, _state_shapes(cell.state_size))


def _split_convlstm(cell: Any, shape: tuple[int | None, ...]) -> Cell:
    # The cell's `state_size` holds filters only; the size of the picture is in the layer's output shape.
    state = tuple(int(each) for each in shape[-(cell.rank + 1) :] if each is not None)
    if cell.rank in (1, 2) and cell.data_format == "channels_last":
        return ConvLstmCell(cell, state[:-1])
    return KerasCell(cell, (state, state))


def _is_custom(cell: Any) -> bool:
    """Return whether a cell is a custom class: it may compute anything under the name of a Keras cell."""
    return type(cell).__module__.partition(".")[0] not in ("keras", "tf_keras")


def _state_shapes(sizes: Any) -> tuple[tuple[int, ...], ...]:
    every = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    return tuple((int(size),) if np.ndim(size) == 0 else tuple(int(each) for each in size) for size in every)
