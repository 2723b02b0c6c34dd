"""GRU, in both of Keras's forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.heads.weights import constant, numbers


class GruCell:
    """A GRU cell.

    Args:
        cell: A Keras GRUCell.

    Source: gate order z, r, h as in Keras's `GRUCell.call`. `reset_after=True` is the form of Cho et al., 2014, v3,
        as cuDNN computes it; `reset_after=False` is that of v1.
    """

    gives_first_state = True

    def __init__(self, cell: Any) -> None:
        units = int(cell.units)
        bias = numbers(cell.bias) if cell.use_bias else np.zeros((2, 3 * units), np.float32)
        self._reset_after = bool(cell.reset_after)
        # With reset_after there is a second bias, on the state's side of the sum.
        input_bias, state_bias = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        self._kernel, self._recurrent = constant(cell.kernel), constant(cell.recurrent_kernel)
        self._input_bias, self._state_bias = constant(input_bias), constant(state_bias)
        self._activation, self._gate = cell.activation, cell.recurrent_activation
        self._units = units
        self.state_shapes = ((units,),)

    def project(self, inputs: Any) -> Any:
        """Compute W·x + b for all gates.

        Args:
            inputs: (N, features).

        Returns:
            (N, 3 * units).
        """
        return inputs @ self._kernel + self._input_bias

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Compute the next state.

        Args:
            projected: (B, 3 * units).
            states: h, (B, units).

        Returns:
            The output, and h.
        """
        hidden = states[0]
        gates = self._gates_reset_after if self._reset_after else self._gates_reset_before
        update, candidate = gates(projected, hidden)
        # (1 - z) * g + z * h with one product less, and without a constant 1 to quantise.
        renewed = candidate + update * (hidden - candidate)
        return renewed, [renewed]

    def _gates_reset_after(self, projected: Any, hidden: Any) -> tuple[Any, Any]:
        """Return update gate and candidate; the reset gate scales the state's product."""
        import tensorflow as tf

        update_x, reset_x, candidate_x = tf.split(projected, 3, axis=-1)
        update_h, reset_h, candidate_h = tf.split(hidden @ self._recurrent + self._state_bias, 3, axis=-1)
        reset = self._gate(reset_x + reset_h)
        return self._gate(update_x + update_h), self._activation(candidate_x + reset * candidate_h)

    def _gates_reset_before(self, projected: Any, hidden: Any) -> tuple[Any, Any]:
        """Return update gate and candidate; the reset gate scales the state itself."""
        import tensorflow as tf

        gates_x, candidate_x = projected[:, : 2 * self._units], projected[:, 2 * self._units :]
        update, reset = tf.split(self._gate(gates_x + hidden @ self._recurrent[:, : 2 * self._units]), 2, axis=-1)
        return update, self._activation(candidate_x + (reset * hidden) @ self._recurrent[:, 2 * self._units :])
