"""A backend that computes in numpy: for testing programs built on edgevid without an interpreter or a model file.

Each part is a function from its inputs to its outputs, looked up by the part's role.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgevid.bundle.manifest import Part, Role
from edgevid.frames import Array

PartFunction = Callable[[Sequence[Array]], Sequence[Array]]


class Fake:
    """Runs Python functions in place of `.tflite` parts.

    Args:
        functions: For each role a function from the list of inputs, shaped as the manifest says, to the list of outputs.
    """

    def __init__(self, functions: Mapping[Role, PartFunction]) -> None:
        self.name = "fake"
        self._functions = functions

    def load(self, part: Part, data: bytes) -> FakeModel:
        """Make the model of a part.

        Args:
            part: Gives the role and the tensors.
            data: Not looked at.

        Returns:
            A model that counts its invocations.
        """
        return FakeModel(part, self._functions[part.role])


class FakeModel:
    """One part of a `Fake`.

    Attributes:
        invocations: How often it ran.
    """

    def __init__(self, part: Part, function: PartFunction) -> None:
        self.invocations = 0
        self._function = function
        self._inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in part.inputs]
        self._outputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in part.outputs]

    def write(self, index: int, values: Array) -> None:
        """Copy an array into an input.

        Args:
            index: Position in `Part.inputs`.
            values: The tensor's type and shape, the batch of 1 with it.
        """
        np.copyto(self._inputs[index], values, casting="no")

    def invoke(self) -> None:
        """Call the function."""
        self.invocations += 1
        for stored, given in zip(self._outputs, self._function(self._inputs), strict=True):
            np.copyto(stored, given, casting="no")

    def read(self, index: int) -> Array:
        """Give an output.

        Args:
            index: Position in `Part.outputs`.

        Returns:
            A new array of the tensor's type and shape, the batch of 1 with it.
        """
        return self._outputs[index].copy()
