"""Turn a part's function into a `.tflite` file, in a child process.

TensorFlow's converter can end its process, and so can the interpreter: each part is run once in the child (`convert.quantization.worker`) before it is opened
here. The child starts while the model is still being read.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.quantization.export import INPUT, OUTPUT, export
from convert.quantization.layer_errors import LayerError, rank
from convert.quantization.worker import Child, WorkerTask
from convert.splitting.split import PartFunction
from edgevid.backends.litert import LiteRt
from edgevid.bundle.manifest import Part, Precision
from edgevid.errors import ConverterCrashed, ModelError
from edgevid.frames import Array


@dataclass(frozen=True, eq=False)
class ConvertedPart:
    """A part and its file.

    Attributes:
        part: For the manifest.
        data: The `.tflite` bytes.
    """

    part: Part
    data: bytes


class Converter:
    """The child process and its working folder.

    A context manager: leaving it ends the child and removes the folder.

    Args:
        timeout_s: Longest time for one job.

    Attributes:
        calibrates: Whether the grids of its parts come from the samples that it is given.
    """

    calibrates = True

    def __init__(self, *, timeout_s: float = 900.0) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edgevid-convert-")
        self._child = Child(Path(self._folder.name), timeout_s=timeout_s)
        self._interpreter = LiteRt()
        self._exported: dict[PartFunction, Path] = {}
        self.jobs = 0

    def start(self) -> None:
        """Start the child now, so that it imports TensorFlow while the caller does something else."""
        self._child.start()

    def prefetch(
        self, function: PartFunction, precision: Precision, calibration: list[Array], *, edgetpu: bool = False
    ) -> None:
        """Let the child begin with a part while its parent does something else; `convert` waits for it.

        Args:
            function: The part.
            precision: How to quantise it.
            calibration: As for `convert`.
            edgetpu: As for `convert`.
        """
        target = Path(self._folder.name) / f"{function.role}-{precision}-{self.jobs}.tflite"
        job = {**self._given(function, calibration), "precision": precision, "out": str(target), "edgetpu": edgetpu}
        self._child.submit(WorkerTask((function, precision, edgetpu), f"{function.role} in {precision}", job))

    def prefetch_layer_errors(self, function: PartFunction, calibration: list[Array], *, made: str = "") -> None:
        """Let the child compare the layers of a part behind what it was given before; `part_errors` waits for it.

        Args:
            function: The part.
            calibration: As for `convert`.
            made: File of the part in another precision than int8.
        """
        job = {"what": "layers", **self._given(function, calibration), "made": made}
        self._child.submit(WorkerTask(("layers", function, made), f"comparison of the {function.role}'s layers", job))

    def convert(
        self, function: PartFunction, precision: Precision, calibration: list[Array], *, edgetpu: bool = False
    ) -> ConvertedPart:
        """Convert one part, or wait for it where it was begun.

        Args:
            function: The part.
            precision: How to quantise it.
            calibration: For each input an array (N, *shape) float32 of what it is given in real use; looked at for "int8" and "int16x8".
            edgetpu: Keep to what the Edge TPU's compiler knows.

        Returns:
            The part.

        Raises:
            ConverterCrashed: The child died; another one takes the next job.
            ConversionError: TensorFlow refused the part.
        """
        key = (function, precision, edgetpu)
        if not self._child.has(key):
            self.prefetch(function, precision, calibration, edgetpu=edgetpu)
        answer = self._child.result(key)
        Path(answer["calibration"]).unlink()
        return self._describe(function, precision, Path(answer["out"]).read_bytes())

    def load_in_worker(self, path: Path, *, allow_code: bool = False, custom_objects: Path | None = None) -> None:
        """Load a model file in the child, so that one which ends its process does not end this one.

        Args:
            path: Any model file; what its framework says against it is not told here.
            allow_code: As for `convert.loading.load.load`.
            custom_objects: As for `convert.loading.load.load`.

        Raises:
            ModelError: The child did not survive the file.
        """
        job = {
            "what": "load",
            "model": str(path),
            "allow_code": allow_code,
            "custom_objects": str(custom_objects) if custom_objects else None,
        }
        try:
            # The longest wait is for TensorFlow to be imported there; here it is needed as well.
            self._child.submit(WorkerTask(path, "model file", job))
            import_tensorflow()
            self._child.result(path)
        except ConverterCrashed as error:
            raise ModelError(
                expected="a model file that TensorFlow can load", found=f"{path}: {error}", path=path
            ) from error

    def layer_errors(self, function: PartFunction, calibration: list[Array], *, output: str) -> list[LayerError]:
        """Measure what int8 costs each layer of a part.

        Args:
            function: The part.
            calibration: As for `convert`.
            output: Name of the layer whose answer leaves the part.

        Returns:
            The layers, worst first.

        Raises:
            ConversionError: TensorFlow refused, or its process died.
        """
        return self._measure(function, "int8", calibration, output=output)

    def part_errors(
        self, made: ConvertedPart, function: PartFunction, calibration: list[Array], *, output: str
    ) -> list[LayerError]:
        """Measure what its precision costs each layer of a part that was converted.

        Args:
            made: The part in its file.
            function: What it was made of.
            calibration: As for `convert`; looked at for every precision.
            output: Name of the layer whose answer leaves the part.

        Returns:
            The layers, worst first.

        Raises:
            ConversionError: TensorFlow refused, or its process died; or the file has other operators than in float32.
        """
        if made.part.precision == "int8":
            return self.layer_errors(function, calibration, output=output)
        file = Path(self._folder.name) / "layers.tflite"
        file.write_bytes(made.data)
        return self._measure(function, made.part.precision, calibration, output=output, made=str(file))

    def _measure(
        self, function: PartFunction, precision: Precision, calibration: list[Array], *, output: str, made: str = ""
    ) -> list[LayerError]:
        key = ("layers", function, made)
        if not self._child.has(key):
            self.prefetch_layer_errors(function, calibration, made=made)
        answer = self._child.result(key)
        Path(answer["calibration"]).unlink()
        return rank(function.role, precision, answer["layers"], output=output)

    def _given(self, function: PartFunction, calibration: list[Array]) -> dict[str, Any]:
        """Put a part and what it is given where the child finds them."""
        arrays = Path(self._folder.name) / f"calibration-{self.jobs}.npz"
        self.jobs += 1
        np.savez(arrays, *calibration)
        return {"saved_model": str(self._export(function)), "calibration": str(arrays)}

    def _export(self, function: PartFunction) -> Path:
        if function not in self._exported:
            path = Path(self._folder.name) / f"{function.role}-{len(self._exported)}"
            export(function, path)
            self._exported[function] = path
        return self._exported[function]

    def _describe(self, function: PartFunction, precision: Precision, data: bytes) -> ConvertedPart:
        file = f"{function.role}.tflite"
        inputs, outputs = self._interpreter.describe(data, file)
        ordered = (
            tuple(inputs[INPUT.format(index)] for index in range(len(inputs))),
            tuple(outputs[OUTPUT.format(index)] for index in range(len(outputs))),
        )
        return ConvertedPart(
            Part(role=function.role, file=file, precision=precision, inputs=ordered[0], outputs=ordered[1]), data
        )

    def stop(self) -> None:
        """End the child, if there is one."""
        self._child.stop()

    def __enter__(self) -> Self:
        """Start the child."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the child and remove the folder."""
        self.stop()
        self._folder.cleanup()
