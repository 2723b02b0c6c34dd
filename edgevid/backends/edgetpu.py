"""Parts that have a twin for the Edge TPU run there; the others, and all of them once the device is gone, on the CPU.

Source: why a head may have no twin though its encoder has one: github.com/google-coral/edgetpu, issue 598.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edgevid.backends.backend import Backend, LoadedPart
from edgevid.bundle import Bundle
from edgevid.bundle.manifest import Part
from edgevid.errors import BackendError
from edgevid.frames import Array


class EdgeTpu:
    """Runs the parts of one bundle on an Edge TPU and the CPU.

    Args:
        bundle: Gives the twins.
        tpu: Loads a twin.
        cpu: Loads a part as it is.
        lost: Called with the reason when the device fails and its parts go on on the CPU; None: the failure ends the run.

    Attributes:
        name: What runs the parts now.
    """

    def __init__(
        self, bundle: Bundle, *, tpu: Backend, cpu: Backend, lost: Callable[[str], None] | None = None
    ) -> None:
        self._parts = [(part, bundle.models[part.file]) for part in bundle.manifest.parts]
        self._twins = {part.file: bundle.models[part.edgetpu] for part in bundle.manifest.parts if part.edgetpu}
        self._tpu, self._cpu = tpu, cpu
        self._lost = lost
        self._is_lost = False
        self._loaded: dict[str, LoadedPart] = {}

    def open(self) -> None:
        """Load every part now, so that a device which cannot be opened is found out while there is still something else to take.

        Raises:
            BackendError: The device, or the interpreter, refuses a part.
        """
        for part, data in self._parts:
            self._loaded[part.file] = self._load(part, data)

    @property
    def name(self) -> str:
        """The interpreter's, with the delegate while it is there."""
        return self._cpu.name if self._is_lost else self._tpu.name

    def load(self, part: Part, data: bytes) -> LoadedPart:
        """Load a part where it can run.

        Args:
            part: What the manifest says of it.
            data: The part for the CPU.

        Returns:
            A model ready to run.

        Raises:
            BackendError: The interpreter refuses the file.
            PartsDoNotJoin: The twin's tensors are not the part's.
        """
        return self._loaded.pop(part.file, None) or self._load(part, data)

    def _load(self, part: Part, data: bytes) -> LoadedPart:
        twin = self._twins.get(part.file)
        if twin is None:
            return self._cpu.load(part, data)
        model = self._tpu.load(dataclasses.replace(part, file=part.edgetpu), twin)
        if self._lost is None:
            return model
        return _Guarded(model, len(part.inputs), spare=lambda: self._cpu.load(part, data), lost=self._fall_back)

    def _fall_back(self, reason: str) -> None:
        """Say it once, however many parts ran there."""
        told, self._is_lost = self._is_lost, True
        if not told and self._lost is not None:
            self._lost(reason)


class _Guarded:
    """A model on a device that can be pulled out: what it was given is given to its spare, once, and the frame is answered all the same."""

    def __init__(
        self, model: LoadedPart, inputs: int, *, spare: Callable[[], LoadedPart], lost: Callable[[str], None]
    ) -> None:
        self._model = model
        self._spare: Callable[[], LoadedPart] | None = spare
        self._lost = lost
        # Arrays of the engine's, which stay as they are until the part has run.
        self._given: list[Array | None] = [None] * inputs
        self._gone: LoadedPart | None = None

    def write(self, index: int, values: Array) -> None:
        self._given[index] = values
        self._model.write(index, values)

    def invoke(self) -> None:
        try:
            self._model.invoke()
        except BackendError as error:
            self._replace(error)
            self._model.invoke()

    def read(self, index: int) -> Array:
        return self._model.read(index)

    def _replace(self, error: BackendError) -> None:
        if self._spare is None:
            raise error
        spare, self._spare = self._spare, None
        # The driver of a device that is gone may hang when it is closed, so the model is kept until the process ends.
        self._gone, self._model = self._model, spare()
        for index, values in enumerate(self._given):
            if values is not None:
                self._model.write(index, values)
        self._lost(str(error))
