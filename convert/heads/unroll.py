"""A recurrent layer over a window, step by step, from its projected inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convert.heads.cell import Cell, Tensor
from convert.heads.cells import cell_of
from edgevid.errors import ModelError


def is_recurrent(layer: Any) -> bool:
    """Tell whether a layer carries a state over time.

    Args:
        layer: Any Keras layer.

    Returns:
        Whether it does; `Recurrent` takes it, or says why not.
    """
    return any(base.__name__ in ("RNN", "Bidirectional") for base in type(layer).__mro__)


class Recurrent:
    """A recurrent layer as projection and steps; a Bidirectional is two of them side by side.

    Args:
        layer: One that `is_recurrent` knows.
        shape: Of its output, with the batch.

    Raises:
        ModelError: It does something that cannot be unrolled.

    Attributes:
        causal: Whether it can be run one frame at a time.
        state_shapes: Shapes of the states of a step, without the batch; empty where it is not causal.
    """

    def __init__(self, layer: Any, shape: tuple[int | None, ...]) -> None:
        both = hasattr(layer, "backward_layer")
        directions = [layer.forward_layer, layer.backward_layer] if both else [layer]
        self._merge = layer.merge_mode if both else None
        self.return_sequences, self.return_state = (
            bool(directions[0].return_sequences),
            bool(directions[0].return_state),
        )
        self._cells: list[Cell] = [cell_of(direction, shape) for direction in directions]
        self._backwards = [bool(direction.go_backwards) for direction in directions]
        self._zero_where_masked = bool(getattr(directions[0], "zero_output_for_mask", False))
        self._widths: list[int] = []
        self.causal = not any(self._backwards)
        self.state_shapes = self._cells[0].state_shapes if self.causal else ()

    def project_window(self, window: Tensor) -> Tensor:
        """Project a window, all frames at once.

        Args:
            window: (B, T, ...).

        Returns:
            (B, T, projected...).
        """
        import tensorflow as tf

        batch, frames = int(window.shape[0]), int(window.shape[1])
        result = self.project(tf.reshape(window, (batch * frames, *window.shape[2:])))
        return tf.reshape(result, (batch, frames, *result.shape[1:]))

    def project(self, frames: Any) -> Any:
        """Compute what depends on each frame alone.

        Args:
            frames: (N, features...).

        Returns:
            (N, projected...), the directions side by side on the last axis.
        """
        import tensorflow as tf

        projected = [cell.project(frames) for cell in self._cells]
        self._widths = [int(each.shape[-1]) for each in projected]
        return projected[0] if len(projected) == 1 else tf.concat(projected, axis=-1)

    def run(self, projected: Any, *, mask: Any = None, initial: Sequence[Any] = ()) -> list[Any]:
        """Run over a whole window.

        Args:
            projected: (B, T, projected...).
            mask: (B, T) booleans, False where a frame is to be passed over; None where none is.
            initial: States to begin with, in the layer's order; zeros where there are none.

        Returns:
            The layer's outputs: (B, T, output...) where it returns sequences, else (B, output...), then its states where it returns them.
        """
        import tensorflow as tf

        parts = [projected] if len(self._cells) == 1 else tf.split(projected, self._widths, axis=-1)
        share = len(initial) // len(self._cells)
        runs = [
            self._sweep(index, part, mask, list(initial[index * share : (index + 1) * share]))
            for index, part in enumerate(parts)
        ]
        outputs = [output for output, _ in runs]
        merged = outputs if self._merge is None else [_merge(self._merge, *outputs)]
        return merged + ([state for _, states in runs for state in states] if self.return_state else [])

    def step(self, projected: Any, states: list[Any], *, mask: Any = None) -> tuple[list[Any], list[Any]]:
        """Run one frame.

        Args:
            projected: (1, 1, projected...).
            states: As `state_shapes`, with a batch of 1.
            mask: (1, 1) booleans, or None.

        Returns:
            The layer's outputs, as `run` gives them for one frame; and the new states.
        """
        import tensorflow as tf

        output, renewed = self._cells[0].step(tf.squeeze(projected, 1), states)
        if mask is not None and not self._cells[0].gives_first_state:
            raise ModelError(
                expected="an LSTM, GRU or SimpleRNN behind a mask for plan 'stateful'",
                found="stacked or other cells",
                hint="Use --plan window.",
            )
        if mask is not None:
            # A frame that is passed over leaves the last output, which is the cell's first state, or zeros.
            before = [] if self._zero_where_masked else [states[0]]
            output = _choose(mask[:, 0], output, self._passed_over(output, before))
            renewed = [_choose(mask[:, 0], new, old) for new, old in zip(renewed, states, strict=True)]
        return [
            tf.expand_dims(output, 1) if self.return_sequences else output,
            *(renewed if self.return_state else []),
        ], renewed

    def _sweep(self, index: int, projected: Any, mask: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        import tensorflow as tf

        cell = self._cells[index]
        states = states or [tf.zeros((int(projected.shape[0]), *shape)) for shape in cell.state_shapes]
        frames = tf.unstack(projected, axis=1)
        valid = [None] * len(frames) if mask is None else tf.unstack(mask, axis=1)
        steps = list(zip(frames, valid, strict=True))
        outputs: list[Any] = []
        for frame, seen in reversed(steps) if self._backwards[index] else steps:
            output, renewed = cell.step(frame, states)
            if seen is not None:
                output = _choose(seen, output, self._passed_over(output, outputs))
                renewed = [_choose(seen, new, old) for new, old in zip(renewed, states, strict=True)]
            outputs, states = [*outputs, output], renewed
        if not self.return_sequences:
            return outputs[-1], states
        # Keras gives a backward layer's sequence in the order of the sweep; Bidirectional turns its second one round again.
        return tf.stack(outputs[::-1] if index == 1 else outputs, axis=1), states

    def _passed_over(self, output: Any, before: list[Any]) -> Any:
        """The output of a frame that the mask leaves out, as in Keras's `backend.rnn`."""
        import tensorflow as tf

        return tf.zeros_like(output) if self._zero_where_masked or not before else before[-1]


def _choose(seen: Any, new: Any, old: Any) -> Any:
    """Take `new` where a frame was seen: (B,) booleans over (B, ...)."""
    import tensorflow as tf

    return tf.where(tf.reshape(seen, (-1, *[1] * (len(new.shape) - 1))), new, old)


def _merge(mode: str, forward: Any, backward: Any) -> Any:
    import tensorflow as tf

    if mode == "concat":
        return tf.concat([forward, backward], axis=-1)
    if mode == "mul":
        return forward * backward
    total = forward + backward
    return total / 2.0 if mode == "ave" else total
