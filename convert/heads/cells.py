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


def cell_of(layer: Any, output_shape: tuple[int, ...] = ()) -> Cell:
    """Take a recurrent layer's cell apart.

    Args:
        layer: A Keras LSTM, GRU, SimpleRNN or ConvLSTM2D, of either framework.
        output_shape: Shape of one output step without the batch, for convolutional cells.

    Returns:
        The cell.

    Raises:
        ModelError: A recurrent layer of another kind.
    """
    kind = type(layer).__name__
    if kind == "LSTM":
        return LstmCell(layer.cell)
    if kind == "GRU":
        return GruCell(layer.cell)
    if kind == "SimpleRNN":
        return SimpleRnnCell(layer.cell)
    if kind == "ConvLSTM2D":
        return ConvLstmCell(layer.cell, output_shape)
    raise ModelError(f"Expected an LSTM, GRU, SimpleRNN or ConvLSTM2D layer, got {kind} {layer.name!r}.")
