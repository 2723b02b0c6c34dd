"""A backend of Python functions: tests programs without an interpreter or a model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgevid.bundle.parts import Part, Role
from edgevid.frames import Array

PartFunction = Callable[[Sequence[Array]], Sequence[Array]]


class Fake:
    """A backend that runs Python functions in place of `.tflite` parts.

    Args:
        functions: For each role, a function from the list of inputs to the list of outputs; all
            arrays have the shapes and types of the manifest.
    """

    def __init__(self, functions: Mapping[Role, PartFunction]) -> None:
        self.name = "fake"
        self._functions = functions

    def load(self, part: Part, data: bytes) -> FakeModel:
        """Return a model for the function of a part's role; `data` is ignored."""
        return FakeModel(part, self._functions[part.role])


class FakeModel:
    """One part of a `Fake`."""

    def __init__(self, part: Part, function: PartFunction) -> None:
        self._function = function
        self._inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in part.inputs]
        self._outputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in part.outputs]

    def write(self, index: int, values: Array) -> None:
        """Copy an array into an input.

        Args:
            index: Position in `Part.inputs`.
            values: Array of the tensor's exact type and shape, including the batch of 1.
        """
        # casting="no" rejects another dtype, as the interpreter does.
        np.copyto(self._inputs[index], values, casting="no")

    def invoke(self) -> None:
        """Call the function."""
        for stored, computed in zip(self._outputs, self._function(self._inputs), strict=True):
            np.copyto(stored, computed, casting="no")

    def read(self, index: int) -> Array:
        """Return an output.

        Args:
            index: Position in `Part.outputs`.

        Returns:
            A new array of the tensor's type and shape, including the batch of 1.
        """
        return self._outputs[index].copy()

    def carry(self, output: int, target: int) -> None:
        """Copy an output to an input of its type and shape.

        Args:
            output: Position in `Part.outputs`.
            target: Position in `Part.inputs`.
        """
        self.write(target, self._outputs[output])
