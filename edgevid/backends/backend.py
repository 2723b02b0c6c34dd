"""The interface between the engine and whatever executes a part."""

from __future__ import annotations

from typing import Protocol

from edgevid.bundle.manifest import Part
from edgevid.frames import Array


class LoadedPart(Protocol):
    """One loaded part. Tensors are numbered as the part lists them."""

    def write(self, index: int, values: Array) -> None:
        """Copy an array into an input.

        Args:
            index: Position in `Part.inputs`.
            values: Array of the tensor's type and shape, the batch of 1 with it.
        """
        ...

    def invoke(self) -> None:
        """Run the part on its inputs.

        Raises:
            BackendError: The interpreter failed.
        """
        ...

    def read(self, index: int) -> Array:
        """Give an output.

        Args:
            index: Position in `Part.outputs`.

        Returns:
            A new array of the tensor's type and shape, the batch of 1 with it.
        """
        ...


class Backend(Protocol):
    """Loads parts."""

    @property
    def name(self) -> str:
        """Interpreter, version and delegate as they are now, for reports."""
        ...

    def load(self, part: Part, data: bytes) -> LoadedPart:
        """Load one part.

        Args:
            part: What the manifest says of it.
            data: The `.tflite` file.

        Returns:
            A model ready to run.

        Raises:
            BackendError: The interpreter refuses the file.
            PartsDoNotJoin: The file's tensors are not those of `part`.
        """
        ...
