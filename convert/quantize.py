"""Turn a part's function into a `.tflite` file, in a child process.

TensorFlow's converter can end its process with a segmentation fault (tensorflow#75140), and so can the interpreter, which aborts on scales that
it cannot represent: each part is run once in the child before it is opened here. The child's death is a diagnosis, not ours.
One child serves many jobs, because importing TensorFlow takes longer than most of them; it starts while the model is still being read.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from convert.export import INPUT, OUTPUT, export
from convert.layer_errors import LayerError, rank
from convert.quiet import import_tensorflow
from convert.split import PartFunction
from edgevid.backends.litert import LiteRt
from edgevid.errors import ConversionError, ConverterCrashed, ModelError
from edgevid.frame import Array
from edgevid.manifest import Part, Precision


@dataclass(frozen=True, eq=False)
class ConvertedPart:
    """A part and its file.

    Attributes:
        part: For the manifest.
        data: The `.tflite` bytes.
    """

    part: Part
    data: bytes


@dataclass(frozen=True)
class _Begun:
    """A job that the child has and has not answered: what tells it from others, what to call it, and where what it was given lies."""

    key: Hashable
    what: str
    job: dict[str, Any]


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
        self._timeout_s = timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="edgevid-convert-")
        self._child: subprocess.Popen[str] | None = None
        self._interpreter = LiteRt()
        self._exported: dict[PartFunction, Path] = {}
        # The child answers in order; what was begun and is not asked for yet waits here.
        self._begun: list[_Begun] = []
        self._answers: dict[Hashable, dict[str, Any] | ConversionError] = {}
        self.jobs = 0

    def start(self) -> None:
        """Start the child now, so that it imports TensorFlow while the caller does something else."""
        self.stop()
        log = (Path(self._folder.name) / "child.log").open("a")
        # With -P nothing in the folder that a person happens to be in is imported in place of TensorFlow; our own packages are where this file is.
        paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "convert.quantize_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            # What it leaves behind when it dies goes with the folder.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": self._folder.name},
        )
        log.close()

    def begin(self, function: PartFunction, precision: Precision, calibration: list[Array], *, edgetpu: bool = False) -> None:
        """Let the child begin with a part while its parent does something else; `convert` waits for it.

        Args:
            function: The part.
            precision: How to quantise it.
            calibration: As for `convert`.
            edgetpu: As for `convert`.
        """
        target = Path(self._folder.name) / f"{function.role}-{precision}-{self.jobs}.tflite"
        job = {**self._given(function, calibration), "precision": precision, "out": str(target), "edgetpu": edgetpu}
        self._order(_Begun((function, precision, edgetpu), f"{function.role} in {precision}", job))

    def begin_layers(self, function: PartFunction, calibration: list[Array], *, made: str = "") -> None:
        """Let the child compare the layers of a part behind what it was given before; `part_errors` waits for it.

        Args:
            function: The part.
            calibration: As for `convert`.
            made: File of the part in another precision than int8.
        """
        job = {"what": "layers", **self._given(function, calibration), "made": made}
        self._order(_Begun(("layers", function, made), f"comparison of the {function.role}'s layers", job))

    def convert(self, function: PartFunction, precision: Precision, calibration: list[Array], *, edgetpu: bool = False) -> ConvertedPart:
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
        if not self._has(key):
            self.begin(function, precision, calibration, edgetpu=edgetpu)
        return self._describe(function, precision, Path(self._wait(key)["out"]).read_bytes())

    def survives(self, path: Path, *, allow_code: bool = False, custom_objects: Path | None = None) -> None:
        """Load a model file in the child, so that one which ends its process does not end this one.

        Args:
            path: Any model file; what its framework says against it is not told here.
            allow_code: As for `convert.load.load`.
            custom_objects: As for `convert.load.load`.

        Raises:
            ModelError: The child did not survive the file.
        """
        job = {"what": "load", "model": str(path), "allow_code": allow_code, "custom_objects": str(custom_objects) if custom_objects else None}
        try:
            # The longest wait is for TensorFlow to be imported there; here it is needed as well.
            self._order(_Begun(path, "model file", job))
            import_tensorflow()
            self._wait(path)
        except ConverterCrashed as error:
            raise ModelError(f"Expected a model file that TensorFlow can load, got {path}: {error}", path=path) from error

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

    def part_errors(self, made: ConvertedPart, function: PartFunction, calibration: list[Array], *, output: str) -> list[LayerError]:
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

    def _measure(self, function: PartFunction, precision: Precision, calibration: list[Array], *, output: str, made: str = "") -> list[LayerError]:
        key = ("layers", function, made)
        if not self._has(key):
            self.begin_layers(function, calibration, made=made)
        return rank(function.role, precision, self._wait(key)["layers"], output=output)

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
        ordered = tuple(inputs[INPUT.format(index)] for index in range(len(inputs))), tuple(outputs[OUTPUT.format(index)] for index in range(len(outputs)))
        return ConvertedPart(Part(role=function.role, file=file, precision=precision, inputs=ordered[0], outputs=ordered[1]), data)

    def _has(self, key: Hashable) -> bool:
        return key in self._answers or any(begun.key == key for begun in self._begun)

    def _order(self, begun: _Begun) -> None:
        self._begun.append(begun)
        self._send(begun.job)

    def _wait(self, key: Hashable) -> dict[str, Any]:
        """Give the answer to a job that was begun, after taking those to the jobs before it."""
        while key not in self._answers:
            self._take_next(key)
        answer = self._answers.pop(key)
        if isinstance(answer, ConversionError):
            raise answer
        return answer

    def _take_next(self, wanted: Hashable) -> None:
        begun = self._begun.pop(0)
        try:
            self._answers[begun.key] = {**begun.job, **self._receive(begun.what)}
        except ConversionError as error:
            self._answers[begun.key] = error
            if isinstance(error, ConverterCrashed):  # the jobs behind it died with the child; what is not wanted now may never be
                behind, self._begun = self._begun, []
                for each in behind:
                    if each.key == wanted:
                        self._order(each)
        if "calibration" in begun.job:
            Path(begun.job["calibration"]).unlink()

    def _send(self, job: dict[str, Any]) -> None:
        if self._child is None or self._child.poll() is not None:
            self.start()
        child = self._child
        assert child is not None and child.stdin is not None
        # A child that is gone already is found when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(json.dumps(job) + "\n")
            child.stdin.flush()

    def _receive(self, what: str) -> dict[str, Any]:
        child = self._child
        assert child is not None and child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], self._timeout_s)
        line = child.stdout.readline() if ready else ""
        if not ready:
            self.stop()
            raise ConverterCrashed(f"Expected the TensorFlow converter to finish the {what} within {self._timeout_s:.0f} s; it was ended.")
        if not line:
            raise ConverterCrashed(f"Expected TensorFlow and the interpreter to survive the {what}; their process {_death(child.wait())}.{self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if answer["error"]:
            raise ConversionError(f"Expected the TensorFlow converter to take the {what}, it says: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        lines = (Path(self._folder.name) / "child.log").read_text(errors="replace").strip().splitlines()
        return f" Its last words: {lines[-1][:300]}" if lines else ""

    def stop(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                # A job that the child did not live to read is still in the pipe's buffer.
                with contextlib.suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
            self._child = None

    def __enter__(self) -> Self:
        """Start the child."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the child and remove the folder."""
        self.stop()
        self._folder.cleanup()


def _death(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
