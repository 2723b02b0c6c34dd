"""Unroll a recurrent layer over a window, one step per frame, from its projected inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convert.heads.cell_interface import Cell, Tensor
from convert.heads.choose_cell import cell_of
from edgevid.errors import ModelError


def is_recurrent(layer: Any) -> bool:
    """Return whether a layer carries a state over time; `Recurrent` runs such a layer or rejects it."""
    # By name: each framework has its own classes, and a custom subclass counts as well.
    return any(base.__name__ in ("RNN", "Bidirectional") for base in type(layer).__mro__)


class Recurrent:
    """A recurrent layer as projection and steps; a Bidirectional holds two of both, one per direction.

    Args:
        layer: A layer that `is_recurrent` accepts.
        shape: Shape of its output, with the batch.

    Raises:
        ModelError: The layer cannot be unrolled.

    Attributes:
        causal: Whether it can run one frame at a time.
        state_shapes: Shapes of the states of a step, without the batch; empty if the layer is not causal.
    """

    def __init__(self, layer: Any, shape: tuple[int | None, ...]) -> None:
        is_bidirectional = hasattr(layer, "backward_layer")
        directions = [layer.forward_layer, layer.backward_layer] if is_bidirectional else [layer]
        self._merge = layer.merge_mode if is_bidirectional else None
        # Keras requires both directions to agree on these two.
        self.return_sequences = bool(directions[0].return_sequences)
        self.return_state = bool(directions[0].return_state)
        self._zero_where_masked = bool(getattr(directions[0], "zero_output_for_mask", False))
        self._cells: list[Cell] = [cell_of(direction, shape) for direction in directions]
        self._is_backward = [bool(direction.go_backwards) for direction in directions]
        self._widths: list[int] = []
        self.causal = not any(self._is_backward)
        self.state_shapes = self._cells[0].state_shapes if self.causal else ()

    def project_window(self, window: Tensor) -> Tensor:
        """Project a window, all frames at once.

        Args:
            window: (B, T, ...).

        Returns:
            (B, T, projected...).
        """
        import tensorflow as tf

        # One product over all frames instead of one per frame.
        batch, frames = int(window.shape[0]), int(window.shape[1])
        result = self.project(tf.reshape(window, (batch * frames, *window.shape[2:])))
        return tf.reshape(result, (batch, frames, *result.shape[1:]))

    def project(self, frames: Any) -> Any:
        """Compute the part that depends on each frame alone.

        Args:
            frames: (N, features...).

        Returns:
            (N, projected...), the directions concatenated on the last axis.
        """
        import tensorflow as tf

        projected = [cell.project(frames) for cell in self._cells]
        # `run` splits by these widths. It may belong to another part than the projection, traced later.
        self._widths = [int(each.shape[-1]) for each in projected]
        return projected[0] if len(projected) == 1 else tf.concat(projected, axis=-1)

    def run(self, projected: Any, *, mask: Any = None, initial: Sequence[Any] = ()) -> list[Any]:
        """Run over a whole window.

        Args:
            projected: (B, T, projected...).
            mask: (B, T) booleans, False where a frame is skipped; None to run on every frame.
            initial: Initial states, in the layer's order; empty for zeros.

        Returns:
            The layer's outputs: (B, T, output...) with `return_sequences`, else (B, output...); then, with
            `return_state`, its states.
        """
        import tensorflow as tf

        inputs = [projected] if len(self._cells) == 1 else tf.split(projected, self._widths, axis=-1)
        # Keras lists the initial states of the forward layer first, then those of the backward layer.
        share = len(initial) // len(self._cells)
        sweeps = [
            self._sweep(index, each, mask, list(initial[index * share : (index + 1) * share]))
            for index, each in enumerate(inputs)
        ]
        outputs = [output for output, _ in sweeps]
        merged = outputs if self._merge is None else [_merge(self._merge, *outputs)]
        return merged + ([state for _, states in sweeps for state in states] if self.return_state else [])

    def step(self, projected: Any, states: list[Any], *, mask: Any = None) -> tuple[list[Any], list[Any]]:
        """Run one frame.

        Args:
            projected: (1, 1, projected...).
            states: One tensor per entry of `state_shapes`, with a batch of 1.
            mask: (1, 1) booleans, or None.

        Returns:
            The layer's outputs, as `run` returns them for one frame; and the new states.

        Raises:
            ModelError: With a mask, if the cell's output is not its first state.
        """
        import tensorflow as tf

        cell = self._cells[0]
        output, renewed = cell.step(tf.squeeze(projected, 1), states)
        if mask is not None:
            if not cell.gives_first_state:
                raise ModelError(
                    expected="an LSTM, GRU or SimpleRNN behind a mask for plan 'stateful'",
                    found="stacked or custom cells",
                    hint="Use --plan window.",
                )
            # A skipped frame repeats the last output. A step has not seen it, but it is the first state.
            output, renewed = self._masked(mask[:, 0], output, renewed, [states[0]], states)
        output = tf.expand_dims(output, 1) if self.return_sequences else output
        return [output, *(renewed if self.return_state else [])], renewed

    def _sweep(self, index: int, projected: Any, mask: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Run one direction over a window; return its output and last states."""
        import tensorflow as tf

        cell = self._cells[index]
        states = states or [tf.zeros((int(projected.shape[0]), *shape)) for shape in cell.state_shapes]
        frames = tf.unstack(projected, axis=1)
        seen_frames = [None] * len(frames) if mask is None else tf.unstack(mask, axis=1)
        steps = list(zip(frames, seen_frames, strict=True))
        outputs: list[Any] = []
        for frame, seen in reversed(steps) if self._is_backward[index] else steps:
            output, renewed = cell.step(frame, states)
            if seen is not None:
                output, renewed = self._masked(seen, output, renewed, outputs, states)
            outputs, states = [*outputs, output], renewed
        if not self.return_sequences:
            return outputs[-1], states
        # Keras returns a backward layer's sequence in the order of the sweep. Only Bidirectional reverses it,
        # and only that of its second layer.
        return tf.stack(outputs[::-1] if index == 1 else outputs, axis=1), states

    def _masked(
        self, seen: Any, output: Any, renewed: list[Any], earlier: Sequence[Any], states: list[Any]
    ) -> tuple[Any, list[Any]]:
        """Undo a step where a frame is skipped, as Keras's `backend.rnn` does.

        Args:
            seen: (B,) booleans, False where the frame is skipped.
            output: Output of the step.
            renewed: States after the step.
            earlier: Outputs before the step, the last one at the end.
            states: States before the step.
        """
        import tensorflow as tf

        skipped = tf.zeros_like(output) if self._zero_where_masked or not earlier else earlier[-1]
        return _choose(seen, output, skipped), [
            _choose(seen, new, old) for new, old in zip(renewed, states, strict=True)
        ]


def _choose(seen: Any, new: Any, old: Any) -> Any:
    """Select `new` where a frame was seen, else `old`: (B,) booleans over (B, ...)."""
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
