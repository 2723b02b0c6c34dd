"""What every recurrent family gives, and which family a layer belongs to."""

from __future__ import annotations

from typing import Any, Protocol

from convert.heads.convlstm import ConvLstmCell
from convert.heads.gru import GruCell
from convert.heads.lstm import LstmCell
from convert.heads.simple_rnn import SimpleRnnCell
from edgevid.errors import ModelError

Tensor = Any
"""A TensorFlow tensor; TensorFlow has no types."""


class Cell(Protocol):
    """One recurrent cell, split where its input meets its state."""

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each state, without the batch."""
        ...

    def project(self, inputs: Tensor) -> Tensor:
        """Compute what does not depend on the state: W·x + b.

        Args:
            inputs: (N, features...) float32; N counts frames.

        Returns:
            (N, projected...).
        """
        ...

    def step(self, projected: Tensor, states: list[Tensor]) -> list[Tensor]:
        """Compute the next states; the first of them is the output.

        Args:
            projected: (1, projected...).
            states: As `state_shapes`, with a batch of 1.

        Returns:
            The new states.
        """
        ...


def cell_of(layer: Any, shape: tuple[int | None, ...]) -> Cell:
    """Take a recurrent layer's cell apart.

    Args:
        layer: A Keras LSTM, GRU, SimpleRNN or ConvLSTM2D of either framework, or an RNN over one of their cells.
        shape: Of its output, with the batch.

    Returns:
        The cell.

    Raises:
        ModelError: A recurrent layer of another kind.
    """
    kind, cell = type(layer).__name__, getattr(layer, "cell", None)
    cell_kind = type(cell).__name__
    if cell_kind == "LSTMCell":
        return LstmCell(cell)
    if cell_kind == "GRUCell":
        return GruCell(cell)
    if cell_kind == "SimpleRNNCell":
        return SimpleRnnCell(cell)
    if cell_kind == "ConvLSTMCell" and kind == "ConvLSTM2D":
        return ConvLstmCell(cell, shape[-3:-1])
    raise ModelError(f"Expected an LSTM, GRU, SimpleRNN or ConvLSTM2D layer, got {kind} {layer.name!r}. Rebuild the model with one of these.")
