"""A causal convolution over time: its state is the frames that its kernel still reaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convert.heads.weights import constant


def is_causal_convolution(layer: Any) -> bool:
    """Tell whether a layer is a convolution over time that never looks ahead.

    Args:
        layer: Any Keras layer.

    Returns:
        Whether it is a Conv1D with padding "causal" that gives a frame for each frame.
    """
    return (
        type(layer).__name__ == "Conv1D"
        and layer.padding == "causal"
        and tuple(layer.strides) == (1,)
        and layer.groups == 1
    )


class CausalConv:
    """A causal Conv1D with the face of a recurrent layer.

    Its padding is zeros, so a state of zeros before the first frame gives the trained layer's answer at every frame.

    Args:
        layer: One that `is_causal_convolution` knows.
        channels: Of its input.

    Source: dilated causal convolutions as in Bai et al., "An Empirical Evaluation of Generic Convolutional and Recurrent Networks", 2018, section 3.
    """

    return_sequences = True
    causal = True

    def __init__(self, layer: Any, channels: int) -> None:
        self._layer = layer
        self._dilation = int(layer.dilation_rate[0])
        self.state_shapes = (((int(layer.kernel_size[0]) - 1) * self._dilation, channels),)

    def run(self, window: Any, *, mask: Any = None, initial: Sequence[Any] = ()) -> list[Any]:
        """Run over a whole window.

        Args:
            window: (B, T, channels).
            mask: Not looked at, as by the trained layer.
            initial: None: a convolution begins with zeros.

        Returns:
            One tensor, (B, T, filters).
        """
        del mask, initial
        return [self._layer(window)]

    def project_window(self, window: Any) -> Any:
        """Return a window as it is: a convolution has no projection that runs once a frame.

        Args:
            window: (B, T, ...).

        Returns:
            The same.
        """
        return window

    def step(self, frame: Any, states: list[Any], *, mask: Any = None) -> tuple[list[Any], list[Any]]:
        """Run one frame.

        Args:
            frame: (1, 1, channels).
            states: The frames before it, (1, reach, channels).
            mask: Not looked at.

        Returns:
            One tensor, (1, 1, filters); and the new state.
        """
        import tensorflow as tf

        del mask
        reached = tf.concat([states[0], frame], axis=1)
        kernel = constant(self._layer.kernel)
        taps = tf.reshape(reached[:, :: self._dilation], (1, -1))
        result = taps @ tf.reshape(kernel, (-1, int(kernel.shape[-1])))
        result = result + constant(self._layer.bias) if self._layer.use_bias else result
        return [self._layer.activation(result)[:, None]], [reached[:, 1:]]
