"""Stacked cells, and cells that run as Keras defines them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert.heads.cell_interface import Cell


class StackedCell:
    """Several cells, each fed by the one before it within a step.

    Only the first cell's input is known before the step, so only that one is projected beforehand.

    Args:
        cells: From the input to the output.
    """

    gives_first_state = False

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = tuple(cells)
        self.state_shapes = tuple(shape for cell in cells for shape in cell.state_shapes)

    def project(self, inputs: Any) -> Any:
        """Project the input of the first cell.

        Args:
            inputs: (N, features).

        Returns:
            (N, projected).
        """
        return self._cells[0].project(inputs)

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Run all cells for one frame.

        Args:
            projected: (B, projected) for the first cell.
            states: States of all cells, in order.

        Returns:
            The last cell's output, and the new states in the same order.
        """
        remaining = list(states)
        renewed: list[Any] = []
        output: Any = None
        for cell in self._cells:
            cell_input = projected if output is None else cell.project(output)
            count = len(cell.state_shapes)
            output, new = cell.step(cell_input, remaining[:count])
            remaining, renewed = remaining[count:], renewed + new
        return output, renewed


class KerasCell:
    """A cell that is called as a whole: a custom one, or one of Keras's without a class in this package.

    Args:
        cell: A Keras cell, that is, a layer called with inputs and states.
        shapes: Shapes of its states, without the batch.
    """

    gives_first_state = False

    def __init__(self, cell: Any, shapes: Sequence[Sequence[int]]) -> None:
        self._cell = cell
        self.state_shapes = tuple(tuple(int(size) for size in shape) for shape in shapes)

    def project(self, inputs: Any) -> Any:
        """Return the input unchanged: the cell cannot be split into projection and step."""
        return inputs

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Call the cell.

        Args:
            projected: (B, ...), the unprojected input.
            states: One tensor per entry of `state_shapes`, with the batch.

        Returns:
            The output, and the new states.
        """
        output, renewed = self._cell(projected, list(states))
        # A cell with one state may return it without a list.
        return output, list(renewed) if isinstance(renewed, (list, tuple)) else [renewed]
