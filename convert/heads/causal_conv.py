"""A causal convolution over time, whose state is the earlier frames within reach of its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convert.heads.weights import constant


def is_causal_convolution(layer: Any) -> bool:
    """Return whether a layer is a Conv1D with padding "causal" and one output frame per input frame."""
    # With several groups the kernel has fewer channels than the state, and `CausalConv.step` could not multiply them.
    return (
        type(layer).__name__ == "Conv1D"
        and layer.padding == "causal"
        and tuple(layer.strides) == (1,)
        and layer.groups == 1
    )


class CausalConv:
    """A causal Conv1D with the interface of `Recurrent`.

    The layer pads with zeros. So a state of zeros before the first frame reproduces its output at every frame.

    Args:
        layer: A layer that `is_causal_convolution` accepts.
        channels: Channels of its input.

    Source: dilated causal convolutions as in Bai et al., "An Empirical Evaluation of Generic Convolutional and
        Recurrent Networks", 2018, section 3.
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
            mask: Ignored, as by the Keras layer.
            initial: Ignored: a convolution starts with zeros.

        Returns:
            One tensor, (B, T, filters).
        """
        del mask, initial
        return [self._layer(window)]

    def project_window(self, window: Any) -> Any:
        """Return the window unchanged: a convolution has no projection to run once per frame."""
        return window

    def step(self, frame: Any, states: list[Any], *, mask: Any = None) -> tuple[list[Any], list[Any]]:
        """Run one frame.

        Args:
            frame: (1, 1, channels).
            states: The frames before it, one tensor (1, reach, channels).
            mask: Ignored, as by the Keras layer.

        Returns:
            One tensor, (1, 1, filters), and the new state.
        """
        import tensorflow as tf

        del mask
        reached = tf.concat([states[0], frame], axis=1)
        kernel = constant(self._layer.kernel)
        # Only one output position exists, so the convolution is a product with the taps in one row.
        taps = tf.reshape(reached[:, :: self._dilation], (1, -1))
        result = taps @ tf.reshape(kernel, (-1, int(kernel.shape[-1])))
        result = result + constant(self._layer.bias) if self._layer.use_bias else result
        return [self._layer.activation(result)[:, None]], [reached[:, 1:]]
