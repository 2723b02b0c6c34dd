"""SimpleRNN."""

from __future__ import annotations

from typing import Any

from convert.heads.weights import constant


class SimpleRnnCell:
    """A fully connected recurrent cell.

    Args:
        cell: A Keras SimpleRNNCell.

    Source: Elman, 1990, as in Keras's `SimpleRNNCell.call`.
    """

    gives_first_state = True

    def __init__(self, cell: Any) -> None:
        self._kernel, self._recurrent = constant(cell.kernel), constant(cell.recurrent_kernel)
        self._bias = constant(cell.bias) if cell.use_bias else None
        self._activation = cell.activation
        self.state_shapes = ((int(cell.units),),)

    def project(self, inputs: Any) -> Any:
        """Compute W·x + b.

        Args:
            inputs: (N, features).

        Returns:
            (N, units).
        """
        product = inputs @ self._kernel
        return product if self._bias is None else product + self._bias

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Compute the next state.

        Args:
            projected: (B, units).
            states: h, (B, units).

        Returns:
            The output, and h.
        """
        hidden = self._activation(projected + states[0] @ self._recurrent)
        return hidden, [hidden]
