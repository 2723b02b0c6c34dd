"""Convert a part's function into a `.tflite` file, in a child process.

TensorFlow's converter can crash its process, and so can the interpreter. The child process
(`convert.quantization.worker`) therefore runs each part once before this process opens it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from convert.frameworks.tensorflow_setup import import_tensorflow
from convert.quantization.export import INPUT, OUTPUT, export
from convert.quantization.layer_errors import LayerError, rank
from convert.quantization.worker import Child, WorkerTask
from convert.rows import AnyRows
from convert.sample_file import write_samples
from convert.splitting.split import PartFunction
from edgevid.backends.litert import LiteRt
from edgevid.bundle.parts import Part, Precision
from edgevid.errors import ConverterCrashed, ModelError


# Compared by identity, to be a cheap key of a dict: equality would compare whole files.
@dataclass(frozen=True, eq=False)
class ConvertedPart:
    """A part and its file.

    Attributes:
        part: The part's entry in the manifest.
        data: The `.tflite` file.
        initial_states: The bundle's member of that name; empty if states start as zeros.
    """

    part: Part
    data: bytes
    initial_states: bytes = b""


class Converter:
    """The child process with TensorFlow's converter, and its working folder.

    A context manager: entering it starts the child process, leaving it stops the process and removes the folder.

    Args:
        timeout_s: Maximum time of one job.

    Attributes:
        calibrates: Whether the parts' grids come from the samples passed to `convert`.
        jobs: Number of jobs that read calibration samples.
    """

    calibrates = True

    def __init__(self, *, timeout_s: float = 900.0) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edgevid-convert-")
        self._child = Child(Path(self._folder.name), timeout_s=timeout_s)
        self._interpreter = LiteRt()
        self._exported: dict[PartFunction, Path] = {}
        self.jobs = 0

    def start(self) -> None:
        """Start the child process, which imports TensorFlow while the caller continues."""
        self._child.start()

    def prefetch(
        self, function: PartFunction, precision: Precision, calibration: Sequence[AnyRows], *, edgetpu: bool = False
    ) -> None:
        """Start to convert a part; `convert` with the same arguments waits for the result.

        Args:
            function: The part.
            precision: The part's precision.
            calibration: See `convert`.
            edgetpu: See `convert`.
        """
        target = Path(self._folder.name) / f"{function.role}-{precision}-{self.jobs}.tflite"
        inputs = self._store_inputs(function, calibration)
        request = {**inputs, "precision": precision, "out": str(target), "edgetpu": edgetpu}
        self._child.submit(WorkerTask((function, precision, edgetpu), f"{function.role} in {precision}", request))

    def prefetch_layer_errors(self, function: PartFunction, calibration: Sequence[AnyRows], *, made: str = "") -> None:
        """Start to measure the layers of a part, after the jobs submitted before; `part_errors` waits for the result.

        Args:
            function: The part.
            calibration: See `convert`.
            made: Path of the converted part; empty for int8.
        """
        request = {"what": "layers", **self._store_inputs(function, calibration), "made": made}
        name = f"comparison of the {function.role}'s layers"
        self._child.submit(WorkerTask(("layers", function, made), name, request))

    def convert(
        self, function: PartFunction, precision: Precision, calibration: Sequence[AnyRows], *, edgetpu: bool = False
    ) -> ConvertedPart:
        """Convert one part, or wait for its conversion if `prefetch` started it.

        Args:
            function: The part.
            precision: The part's precision.
            calibration: For each input representative samples (N, *shape) float32, read one at a time; used for
                "int8" and "int16x8".
            edgetpu: Whether to use only features that the Edge TPU's compiler supports.

        Raises:
            ConverterCrashed: The child process crashed. The next job starts another one.
            ConversionError: TensorFlow rejected the part.
        """
        key = (function, precision, edgetpu)
        if not self._child.has(key):
            self.prefetch(function, precision, calibration, edgetpu=edgetpu)
        answer = self._child.result(key)
        Path(answer["calibration"]).unlink()
        return self._describe(function, precision, Path(answer["out"]).read_bytes())

    def load_in_worker(
        self, path: Path, *, allow_code: bool = False, custom_objects: Path | None = None, weights: Path | None = None
    ) -> None:
        """Load a model file in the child process, so that a file that crashes its process does not crash this one.

        Args:
            path: Any model file. An error of its framework is ignored; the caller loads the file again.
            allow_code: See `convert.loading.load.load`.
            custom_objects: See `convert.loading.load.load`.
            weights: See `convert.loading.load.load`.

        Raises:
            ModelError: The child process crashed.
        """
        request = {
            "what": "load",
            "model": str(path),
            "allow_code": allow_code,
            "custom_objects": str(custom_objects) if custom_objects else None,
            "weights": str(weights) if weights else None,
        }
        try:
            self._child.submit(WorkerTask(path, "model file", request))
            # Most of the wait is the child's import of TensorFlow. This process needs it too, so import it meanwhile.
            import_tensorflow()
            self._child.result(path)
        except ConverterCrashed as error:
            raise ModelError(
                expected="a model file that TensorFlow can load", found=f"{path}: {error}", path=path
            ) from error

    def layer_errors(self, function: PartFunction, calibration: Sequence[AnyRows], *, output: str) -> list[LayerError]:
        """Measure the loss of each layer of a part in int8.

        Args:
            function: The part.
            calibration: See `convert`.
            output: Name of the layer whose output leaves the part.

        Returns:
            The layers, worst first.

        Raises:
            ConversionError: TensorFlow rejected the part, or the child process crashed.
        """
        return self._measure(function, "int8", calibration, output=output)

    def part_errors(
        self, made: ConvertedPart, function: PartFunction, calibration: Sequence[AnyRows], *, output: str
    ) -> list[LayerError]:
        """Measure the loss of each layer of a converted part.

        Args:
            made: The converted part.
            function: Its float function.
            calibration: See `convert`; used for every precision.
            output: Name of the layer whose output leaves the part.

        Returns:
            The layers, worst first.

        Raises:
            ConversionError: TensorFlow rejected the part, the child process crashed, or the file has other
                operators than in float32.
        """
        if made.part.precision == "int8":
            return self.layer_errors(function, calibration, output=output)
        file = Path(self._folder.name) / "layers.tflite"
        file.write_bytes(made.data)
        return self._measure(function, made.part.precision, calibration, output=output, made=str(file))

    def _measure(
        self,
        function: PartFunction,
        precision: Precision,
        calibration: Sequence[AnyRows],
        *,
        output: str,
        made: str = "",
    ) -> list[LayerError]:
        key = ("layers", function, made)
        if not self._child.has(key):
            self.prefetch_layer_errors(function, calibration, made=made)
        answer = self._child.result(key)
        Path(answer["calibration"]).unlink()
        return rank(function.role, precision, answer["layers"], output=output)

    def _store_inputs(self, function: PartFunction, calibration: Sequence[AnyRows]) -> dict[str, Any]:
        """Write a part and its samples to the working folder; return the paths for a request."""
        arrays = Path(self._folder.name) / f"calibration-{self.jobs}.npz"
        self.jobs += 1
        write_samples(arrays, calibration)
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
        # The file may order its tensors differently; the signature's names restore the part's order.
        part = Part(
            role=function.role,
            file=file,
            precision=precision,
            inputs=tuple(inputs[INPUT.format(index)] for index in range(len(inputs))),
            outputs=tuple(outputs[OUTPUT.format(index)] for index in range(len(outputs))),
        )
        return ConvertedPart(part, data)

    def stop(self) -> None:
        """Stop the child process if it runs."""
        self._child.stop()

    def __enter__(self) -> Self:
        """Start the child process."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the child process and remove the folder."""
        self.stop()
        self._folder.cleanup()
