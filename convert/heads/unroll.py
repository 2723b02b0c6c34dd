"""A recurrent layer over a window, step by step, from its projected inputs."""

from __future__ import annotations

from typing import Any

from convert.heads.cells import Cell, cell_of
from edgevid.errors import ModelError

_MERGES = ("concat", "sum", "mul", "ave")


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
        both = type(layer).__name__ == "Bidirectional"
        directions = [layer.forward_layer, layer.backward_layer] if both else [layer]
        self._merge = layer.merge_mode if both else None
        if both and self._merge not in _MERGES:
            raise ModelError(f"Expected a Bidirectional with merge_mode, one of {', '.join(_MERGES)}, got {self._merge!r} in {layer.name!r}.", expected=_MERGES)
        if any(direction.return_state for direction in directions):
            raise ModelError(f"Expected a recurrent layer that returns its output only, got return_state=True in {layer.name!r}.")
        self.return_sequences = bool(directions[0].return_sequences)
        self._cells: list[Cell] = [cell_of(direction, shape) for direction in directions]
        self._widths: list[int] = []
        self._backwards = [bool(direction.go_backwards) for direction in directions]
        self.causal = not any(self._backwards)
        self.state_shapes = self._cells[0].state_shapes if self.causal else ()

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

    def run(self, projected: Any) -> Any:
        """Run over a whole window from states of zero.

        Args:
            projected: (1, T, projected...).

        Returns:
            (1, T, output...) where the layer returns sequences, else (1, output...).
        """
        import tensorflow as tf

        parts = [projected] if len(self._cells) == 1 else tf.split(projected, self._widths, axis=-1)
        runs = [self._sweep(index, part) for index, part in enumerate(parts)]
        return runs[0] if self._merge is None else _merge(self._merge, *runs)

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Run one frame.

        Args:
            projected: (1, 1, projected...).
            states: As `state_shapes`, with a batch of 1.

        Returns:
            (1, 1, output...) where the layer returns sequences, else (1, output...); and the new states.
        """
        states = self._cells[0].step(projected[:, 0], states)
        return (states[0][:, None] if self.return_sequences else states[0]), states

    def _sweep(self, index: int, projected: Any) -> Any:
        import tensorflow as tf

        cell = self._cells[index]
        states = [tf.zeros((1, *shape)) for shape in cell.state_shapes]
        outputs = []
        frames = tf.unstack(projected, axis=1)
        for frame in reversed(frames) if self._backwards[index] else frames:
            states = cell.step(frame, states)
            outputs.append(states[0])
        if not self.return_sequences:
            return states[0]
        # Keras gives a backward layer's sequence in the order of the sweep; Bidirectional turns its second one round again.
        return tf.stack(outputs[::-1] if index == 1 else outputs, axis=1)


def _merge(mode: str, forward: Any, backward: Any) -> Any:
    import tensorflow as tf

    if mode == "concat":
        return tf.concat([forward, backward], axis=-1)
    if mode == "mul":
        return forward * backward
    total = forward + backward
    return total / 2.0 if mode == "ave" else total
