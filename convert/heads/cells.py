"""What every recurrent family gives, and which family a layer belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.heads.cell import Cell
from convert.heads.composed import KerasCell, StackedCell
from convert.heads.convlstm import ConvLstmCell
from convert.heads.gru import GruCell
from convert.heads.lstm import LstmCell
from convert.heads.simple_rnn import SimpleRnnCell
from edgevid.errors import ModelError


def cell_of(layer: Any, shape: tuple[int | None, ...]) -> Cell:
    """Take a recurrent layer's cell apart.

    Args:
        layer: A recurrent Keras layer of either framework.
        shape: Of its output, with the batch.

    Returns:
        The cell: in a form of its own for the families of this folder, as it is for any other.

    Raises:
        ModelError: A layer without a cell that can be called one frame at a time.
    """
    cell = getattr(layer, "cell", None)
    if cell is None:
        raise ModelError(
            expected="a recurrent layer with a cell",
            found=f"{type(layer).__name__} {layer.name!r}",
            hint="Rebuild the model with LSTM, GRU or SimpleRNN.",
        )
    return _take_apart(cell, shape)


def _take_apart(cell: Any, shape: tuple[int | None, ...]) -> Cell:
    kind = type(cell).__name__
    if kind == "StackedRNNCells":
        return StackedCell([_take_apart(each, shape) for each in cell.cells])
    if kind in _FAMILIES and not _is_strange(cell):
        return _FAMILIES[kind](cell)
    if kind == "ConvLSTMCell":
        state = tuple(int(each) for each in shape[-(cell.rank + 1) :] if each is not None)
        return (
            ConvLstmCell(cell, state[:-1])
            if cell.rank in (1, 2) and cell.data_format == "channels_last"
            else KerasCell(cell, (state, state))
        )
    return KerasCell(cell, _state_shapes(cell.state_size))


def _is_strange(cell: Any) -> bool:
    """Whether a cell only has the name of a known one: a person's own class may do anything under it."""
    return type(cell).__module__.partition(".")[0] not in ("keras", "tf_keras")


def _state_shapes(sizes: Any) -> tuple[tuple[int, ...], ...]:
    every = sizes if isinstance(sizes, (list, tuple)) else [sizes]
    return tuple((int(size),) if np.ndim(size) == 0 else tuple(int(each) for each in size) for size in every)


_FAMILIES: dict[str, Callable[[Any], Cell]] = {"LSTMCell": LstmCell, "GRUCell": GruCell, "SimpleRNNCell": SimpleRnnCell}
