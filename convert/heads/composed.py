"""Cells that are made of other cells, and cells that nobody here has heard of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert.heads.cell import Cell


class StackedCell:
    """Several cells run one upon the other within each step; only the first one's input can be projected beforehand.

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
            projected: (B, projected) of the first cell.
            states: Those of all cells, in order.

        Returns:
            The last cell's output, and the new states in the same order.
        """
        left = list(states)
        renewed: list[Any] = []
        output: Any = None
        for cell in self._cells:
            given = projected if output is None else cell.project(output)
            count = len(cell.state_shapes)
            output, new = cell.step(given, left[:count])
            left, renewed = left[count:], renewed + new
        return output, renewed


class KerasCell:
    """A cell called as it is: one of Keras's that has no form of its own here, or anyone's.

    Args:
        cell: Any Keras cell: a layer that takes inputs and states.
        shapes: Of its states, without the batch.
    """

    gives_first_state = False

    def __init__(self, cell: Any, shapes: Sequence[Sequence[int]]) -> None:
        self._cell = cell
        self.state_shapes = tuple(tuple(int(size) for size in shape) for shape in shapes)

    def project(self, inputs: Any) -> Any:
        """Leave the input as it is: what the cell does with it alone is not known.

        Args:
            inputs: (N, ...).

        Returns:
            The same.
        """
        return inputs

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """Call the cell.

        Args:
            projected: (B, ...), an input as it is.
            states: As `state_shapes`, with a batch.

        Returns:
            The output, and the new states.
        """
        output, renewed = self._cell(projected, list(states))
        return output, list(renewed) if isinstance(renewed, (list, tuple)) else [renewed]
