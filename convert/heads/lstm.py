"""LSTM."""

from __future__ import annotations

from typing import Any

from convert.heads.weights import constant


class LstmCell:
    """An LSTM cell with its four gates in one product.

    Args:
        cell: A Keras LSTMCell.

    Source: gate order i, f, c, o as in Keras's `LSTMCell.call`; Hochreiter and Schmidhuber, 1997, with the forget gate
        of Gers et al., 2000.
    """

    gives_first_state = True

    def __init__(self, cell: Any) -> None:
        self._kernel, self._recurrent = constant(cell.kernel), constant(cell.recurrent_kernel)
        self._bias = constant(cell.bias) if cell.use_bias else None
        self._activation, self._gate = cell.activation, cell.recurrent_activation
        self.state_shapes = ((int(cell.units),), (int(cell.units),))

    def project(self, inputs: Any) -> Any:
        """Compute W·x + b for all gates.

        Args:
            inputs: (N, features).

        Returns:
            (N, 4 * units).
        """
        product = inputs @ self._kernel
        return product if self._bias is None else product + self._bias

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Compute the next hidden and cell state.

        Args:
            projected: (B, 4 * units).
            states: h and c, each (B, units).

        Returns:
            The output, and h and c.
        """
        import tensorflow as tf

        hidden, carry = states
        input_gate, forget, candidate, output = tf.split(projected + hidden @ self._recurrent, 4, axis=-1)
        carry = self._gate(forget) * carry + self._gate(input_gate) * self._activation(candidate)
        hidden = self._gate(output) * self._activation(carry)
        return hidden, [hidden, carry]
