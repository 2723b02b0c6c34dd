"""The Edge TPU backend: run parts that have a compiled twin on the device, all others on the CPU.

After the device fails, every part runs on the CPU.

Source: why a head may have no twin though its encoder has one, github.com/google-coral/edgetpu,
issue 598.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edgevid.backends.backend import Backend, LoadedPart
from edgevid.bundle import Bundle
from edgevid.bundle.parts import Part
from edgevid.errors import BackendError
from edgevid.frames import Array


class EdgeTpu:
    """A backend for one bundle that combines an Edge TPU and the CPU.

    Args:
        bundle: Contains the twins.
        tpu: Loads twins.
        cpu: Loads parts without a twin, and replacements after a failure.
        lost: Called once with the reason when the device fails and its parts fall back to the CPU.
            None: a failure ends the run.
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
        """Load every part ahead of `load`, so that a caller can still choose another backend.

        Raises:
            BackendError: The device or the interpreter rejects a part.
        """
        for part, data in self._parts:
            self._loaded[part.file] = self._load(part, data)

    @property
    def name(self) -> str:
        """Interpreter and version, with the delegate while the device works."""
        return self._cpu.name if self._is_lost else self._tpu.name

    def load(self, part: Part, data: bytes) -> LoadedPart:
        """Load a part on the device if it has a twin, else on the CPU.

        Args:
            part: The part's entry in the manifest.
            data: The part for the CPU.

        Raises:
            BackendError: The interpreter rejects the file.
            PartsDoNotJoin: The twin's tensors differ from the part's.
        """
        return self._loaded.pop(part.file, None) or self._load(part, data)

    def _load(self, part: Part, data: bytes) -> LoadedPart:
        twin = self._twins.get(part.file)
        if twin is None:
            return self._cpu.load(part, data)
        model = self._tpu.load(dataclasses.replace(part, file=part.edgetpu), twin)
        if self._lost is None:
            return model
        return _WithFallback(
            model, len(part.inputs), load_fallback=lambda: self._cpu.load(part, data), lost=self._fall_back
        )

    def _fall_back(self, reason: str) -> None:
        # Each part on the device fails on its own: report the first failure only.
        was_lost, self._is_lost = self._is_lost, True
        if not was_lost and self._lost is not None:
            self._lost(reason)


class _WithFallback:
    """A part on a device that may be unplugged; on failure it repeats the frame on the CPU."""

    def __init__(
        self, model: LoadedPart, inputs: int, *, load_fallback: Callable[[], LoadedPart], lost: Callable[[str], None]
    ) -> None:
        self._model = model
        self._load_fallback: Callable[[], LoadedPart] | None = load_fallback
        self._lost = lost
        # References, not copies: the engine leaves these arrays unchanged until the part has run.
        self._inputs: list[Array | None] = [None] * inputs
        self._failed_model: LoadedPart | None = None

    def write(self, index: int, values: Array) -> None:
        self._inputs[index] = values
        self._model.write(index, values)

    def invoke(self) -> None:
        try:
            self._model.invoke()
        except BackendError as error:
            self._replace(error)
            self._model.invoke()

    def read(self, index: int) -> Array:
        return self._model.read(index)

    def carry(self, output: int, target: int) -> None:
        # Through an array of its own, which `_replace` can write again.
        self.write(target, self.read(output))

    def _replace(self, error: BackendError) -> None:
        # A failure on the CPU has no further fallback.
        if self._load_fallback is None:
            raise error
        load_fallback, self._load_fallback = self._load_fallback, None
        # Hold on to the failed model until the process ends: closing the driver of an unplugged
        # device may hang.
        self._failed_model, self._model = self._model, load_fallback()
        for index, values in enumerate(self._inputs):
            if values is not None:
                self._model.write(index, values)
        self._lost(str(error))
