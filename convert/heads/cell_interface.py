"""The interface of a recurrent cell, as `Recurrent` unrolls it."""

from __future__ import annotations

from typing import Any, Protocol

Tensor = Any
"""A TensorFlow tensor; TensorFlow has no types."""


class Cell(Protocol):
    """One recurrent cell, split where its input meets its state."""

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each state, without the batch."""
        ...

    @property
    def gives_first_state(self) -> bool:
        """Whether the output is the first of the states."""
        ...

    def project(self, inputs: Tensor) -> Tensor:
        """Compute the part that does not depend on the state: W·x + b.

        Args:
            inputs: (N, features...) float32, one row per frame.

        Returns:
            (N, projected...).
        """
        ...

    def step(self, projected: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Compute the output and the next states.

        Args:
            projected: (B, projected...).
            states: One tensor per entry of `state_shapes`, with the batch.

        Returns:
            The output, and the new states.
        """
        ...
