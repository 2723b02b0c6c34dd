"""ConvLSTM1D and ConvLSTM2D: an LSTM whose products are convolutions."""

from __future__ import annotations

from typing import Any

from convert.heads.weights import constant


class ConvLstmCell:
    """A convolutional LSTM cell, channels last.

    Args:
        cell: A Keras ConvLSTMCell of rank 1 or 2.
        size: (W,) or (H, W) of its output.

    Source: Shi et al., 2015, without peepholes, as in Keras's `ConvLSTMCell.call`. The input's convolution has the
        layer's padding, strides and dilation; the state's convolution is "same" with stride 1.
    """

    gives_first_state = True

    def __init__(self, cell: Any, size: tuple[int | None, ...]) -> None:
        self._kernel, self._recurrent = constant(cell.kernel), constant(cell.recurrent_kernel)
        self._bias = constant(cell.bias) if cell.use_bias else None
        self._activation, self._gate = cell.activation, cell.recurrent_activation
        self._is_1d = cell.rank == 1
        self._geometry = {
            "strides": tuple(cell.strides),
            "padding": cell.padding.upper(),
            "dilations": tuple(cell.dilation_rate),
        }
        state = (*(int(each) for each in size if each is not None), int(cell.filters))
        self.state_shapes = (state, state)

    def project(self, inputs: Any) -> Any:
        """Convolve the input for all gates.

        Args:
            inputs: (N, H, W, C), or (N, W, C) for rank 1.

        Returns:
            (N, H', W', 4 * filters), or (N, W', 4 * filters).
        """
        import tensorflow as tf

        convolve = tf.nn.conv1d if self._is_1d else tf.nn.conv2d
        product = convolve(inputs, self._kernel, **self._convolution_options())
        return product if self._bias is None else product + self._bias

    def _convolution_options(self) -> dict[str, Any]:
        if not self._is_1d:
            return self._geometry
        # tf.nn.conv1d calls its stride `stride` and takes single numbers.
        strides, dilations = self._geometry["strides"], self._geometry["dilations"]
        return {"stride": strides[0], "padding": self._geometry["padding"], "dilations": dilations[0]}

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Compute the next hidden and cell state.

        Args:
            projected: (B, H', W', 4 * filters), without H' for rank 1.
            states: h and c, each (B, H', W', filters), without H' for rank 1.

        Returns:
            The output, and h and c.
        """
        import tensorflow as tf

        hidden, carry = states
        convolve = tf.nn.conv1d if self._is_1d else tf.nn.conv2d
        product = convolve(hidden, self._recurrent, 1, "SAME")
        input_gate, forget, candidate, output = tf.split(projected + product, 4, axis=-1)
        carry = self._gate(forget) * carry + self._gate(input_gate) * self._activation(candidate)
        hidden = self._gate(output) * self._activation(carry)
        return hidden, [hidden, carry]
