"""The interface between the engine and the backends that execute parts."""

from __future__ import annotations

from typing import Protocol

from edgevid.bundle.parts import Part
from edgevid.frames import Array


class LoadedPart(Protocol):
    """A part that is ready to run. Tensors are numbered in the order of the manifest's `Part`."""

    def write(self, index: int, values: Array) -> None:
        """Copy an array into an input.

        Args:
            index: Position in `Part.inputs`.
            values: Array of the tensor's exact type and shape, including the batch of 1.
        """
        ...

    def invoke(self) -> None:
        """Run the part on its inputs.

        Raises:
            BackendError: The interpreter failed.
        """
        ...

    def read(self, index: int) -> Array:
        """Return an output.

        Args:
            index: Position in `Part.outputs`.

        Returns:
            A new array of the tensor's type and shape, including the batch of 1.
        """
        ...

    def carry(self, output: int, target: int) -> None:
        """Copy an output to an input of its type and shape, such as a state for the next frame.

        Args:
            output: Position in `Part.outputs`.
            target: Position in `Part.inputs`.
        """
        ...


class Backend(Protocol):
    """An executor of parts, such as an interpreter with a delegate."""

    @property
    def name(self) -> str:
        """Current interpreter, version and delegate, for reports."""
        ...

    def load(self, part: Part, data: bytes) -> LoadedPart:
        """Load one part.

        Args:
            part: The part's entry in the manifest.
            data: Content of the `.tflite` file.

        Raises:
            BackendError: The interpreter rejects the file.
            PartsDoNotJoin: The file's tensors differ from those of `part`.
        """
        ...
