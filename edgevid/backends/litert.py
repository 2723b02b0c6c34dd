"""The LiteRT interpreter: the one file that imports it.

`ai-edge-litert` is taken first, `tflite-runtime` in its place on Python 3.11. XNNPACK is the interpreter's default delegate; an external one
gets the operators first, and XNNPACK what it leaves.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.bundle.manifest import Part, Tensor
from edgevid.errors import BackendError, DelegateError, EdgevidError, MissingDependency, PartsDoNotJoin
from edgevid.frames import Array

_PACKAGES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))
_REASONS = (
    ("edgetpu-custom-op", "it was compiled for the Edge TPU and needs one, or its uncompiled twin"),
    (
        "Select TensorFlow op",
        "it needs TensorFlow's own operators (Flex), which no device runtime has; convert it again with builtin operators only",
    ),
    (
        "Flex",
        "it needs TensorFlow's own operators (Flex), which no device runtime has; convert it again with builtin operators only",
    ),
    ("unresolved custom op", "it holds a custom operator that this interpreter does not know"),
)
# Operators with variables of their own.
_STATEFUL = ("UNIDIRECTIONAL_SEQUENCE", "BIDIRECTIONAL_SEQUENCE", "LSTM", "RNN", "SVDF", "VAR_HANDLE")


class LiteRt:
    """Runs parts on the CPU, or on what an external delegate drives.

    Args:
        threads: Interpreter threads, >= 1.
        library: Shared library of an external delegate: a path, or a name that the dynamic linker finds; None for none.
        options: Passed to the delegate.

    Raises:
        MissingDependency: No interpreter is installed.
        DelegateError: The delegate cannot be loaded, or refuses its options or the device.
    """

    def __init__(
        self, *, threads: int = 1, library: str | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        self._threads = threads
        self._module, package = _import()
        self.name = f"{package} {importlib.metadata.version(package)}"
        self._delegates: list[Any] = []
        if library is not None:
            self._delegates.append(_load_delegate(self._module, library, dict(options or {})))
            self.name += f" + {Path(library).name}"

    def load(self, part: Part, data: bytes) -> LiteRtModel:
        """Load one part and check that it is what the manifest says.

        Args:
            part: What the manifest says of it.
            data: The `.tflite` file.

        Returns:
            A model ready to run.

        Raises:
            BackendError: The interpreter refuses the file.
            PartsDoNotJoin: The file's tensors are not those of `part`.
        """
        interpreter = self.open(data, part.file)
        with _refusing_damage(part.file):
            inputs = _places(part.file, part.inputs, interpreter.get_input_details())
            outputs = _places(part.file, part.outputs, interpreter.get_output_details())
        # A fused recurrent operator keeps its state from call to call; a window begins with zeros.
        forget = interpreter.reset_all_variables if part.role == "whole" and _keeps_state(interpreter) else None
        return LiteRtModel(interpreter, part.file, inputs, outputs, forget=forget)

    def describe(self, data: bytes, name: str = "model") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Tell the inputs and outputs of a `.tflite` file by the names of its signature.

        Args:
            data: The file.
            name: For error messages.

        Returns:
            Inputs and outputs by signature name, or by tensor name where the file has no signature.

        Raises:
            BackendError: The interpreter refuses the file.
        """
        interpreter = self.open(data, name)
        with _refusing_damage(name):
            signatures = interpreter.get_signature_list()
            if not signatures:
                inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
                return {each["name"]: _tensor(each) for each in inputs}, {
                    each["name"]: _tensor(each) for each in outputs
                }
            runner = interpreter.get_signature_runner(next(iter(signatures)))
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            return {key: _tensor(each) for key, each in inputs.items()}, {
                key: _tensor(each) for key, each in outputs.items()
            }

    def operators(self, data: bytes, name: str = "model") -> dict[str, int]:
        """Count the operators of a `.tflite` file, those too that this interpreter cannot run.

        Args:
            data: The file.
            name: For error messages.

        Returns:
            Builtin names, "Flex..." for TensorFlow's own and the names of custom operators, each with how often it occurs.

        Raises:
            BackendError: The file is no `.tflite` model.
        """
        with _refusing_damage(name):
            # Not allocated: that is where an interpreter refuses what it cannot run.
            details = self._interpreter(data)._get_ops_details()
        names = [str(each["op_name"]) for each in details if each["op_name"] != "DELEGATE"]
        return {each: names.count(each) for each in sorted(set(names))}

    def tensors(
        self, data: bytes, name: str = "model"
    ) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
        """Tell the inputs and outputs of any `.tflite` file, those too that this interpreter cannot run.

        Args:
            data: The file.
            name: For error messages.

        Returns:
            Inputs and outputs in the file's order: "name", "shape" with -1 for an open size, "dtype", "scale", "zero_point".

        Raises:
            BackendError: The file is no `.tflite` model.
        """
        with _refusing_damage(name):
            interpreter = self._interpreter(data)
            return tuple(map(_plain, interpreter.get_input_details())), tuple(
                map(_plain, interpreter.get_output_details())
            )

    def open(self, data: bytes, name: str) -> Any:
        """Make an interpreter with its tensors allocated.

        Args:
            data: The `.tflite` file.
            name: For error messages.

        Returns:
            The package's `Interpreter`.

        Raises:
            BackendError: The interpreter refuses the file.
        """
        try:
            interpreter = self._interpreter(data)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            text = str(error)
            reason = next(
                (reason for mark, reason in _REASONS if mark in text),
                text.splitlines()[0] if text else "no reason given",
            )
            raise BackendError(expected=f"a model that {self.name} can run", found=f"{name}: {reason}") from error
        return interpreter

    def _interpreter(self, data: bytes) -> Any:
        with warnings.catch_warnings():
            # tflite-runtime 2.14 is what it is: its advice to move to another package is this package's first choice already.
            warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
            return self._module.Interpreter(
                model_content=data, num_threads=self._threads, experimental_delegates=self._delegates or None
            )


class LiteRtModel:
    """One loaded part.

    Args:
        interpreter: With its tensors allocated.
        name: For error messages.
        inputs: Tensor indices in the part's order.
        outputs: Tensor indices in the part's order.
        forget: Called before each run, to clear what a model keeps from one to the next.
    """

    def __init__(
        self,
        interpreter: Any,
        name: str,
        inputs: list[int],
        outputs: list[int],
        *,
        forget: Callable[[], None] | None = None,
    ) -> None:
        self._interpreter = interpreter
        self._name = name
        self._forget = forget
        self._inputs = inputs
        self._outputs = outputs

    def write(self, index: int, values: Array) -> None:
        """Copy an array into an input.

        Args:
            index: Position in `Part.inputs`.
            values: The tensor's type and shape, the batch of 1 with it; the interpreter refuses any other.

        Cost: 2.0 us for 12 KiB on x86; a copy through `Interpreter.tensor` takes 4 us.
        """
        self._interpreter.set_tensor(self._inputs[index], values)

    def invoke(self) -> None:
        """Run the part.

        Raises:
            BackendError: The interpreter failed.
        """
        try:
            if self._forget is not None:
                self._forget()
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BackendError(expected=f"{self._name} to run", found=f"the interpreter failed: {error}") from error

    def read(self, index: int) -> Array:
        """Give an output.

        Args:
            index: Position in `Part.outputs`.

        Returns:
            A new array of the tensor's type and shape, the batch of 1 with it.

        Cost: 1.2 us for a feature on x86; a copy through `Interpreter.tensor` takes 2.9 us.
        """
        return self._interpreter.get_tensor(self._outputs[index])


def _keeps_state(interpreter: Any) -> bool:
    return any(str(each["op_name"]).startswith(_STATEFUL) for each in interpreter._get_ops_details())


def _plain(detail: dict[str, Any]) -> dict[str, Any]:
    scale, zero_point = detail["quantization"]
    shape = [int(size) for size in detail.get("shape_signature", detail["shape"])]
    return {
        "name": detail["name"],
        "shape": shape,
        "dtype": np.dtype(detail["dtype"]).name,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


@contextlib.contextmanager
def _refusing_damage(name: str) -> Iterator[None]:
    """Make a refusal of what the package raises where a damaged file sends it: names that are no UTF-8, numbers of tensors that there are not."""
    try:
        yield
    except EdgevidError:
        raise
    except (ValueError, RuntimeError, TypeError, LookupError) as error:
        raise BackendError(expected="a .tflite model", found=f"{name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "no reason given"


def _import() -> tuple[Any, str]:
    for module, package in _PACKAGES:
        try:
            return importlib.import_module(module), package
        except ImportError:
            continue
    raise MissingDependency(expected="a TFLite interpreter", found="none", hint="Run: pip install ai-edge-litert.")


def _load_delegate(module: Any, library: str, options: dict[str, str]) -> Any:
    """Load an external delegate. The interpreter keeps it as long as it needs it."""
    try:
        # The package's own loader leaves a half-made object behind where one of these is not there, which complains when it is collected.
        _ = (opened := ctypes.CDLL(library)).tflite_plugin_create_delegate, opened.tflite_plugin_destroy_delegate
        return module.load_delegate(library, options)
    except (OSError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).splitlines()[-1:]) or "no reason given"
        raise DelegateError(expected=f"the delegate {library} to load", got=reason, found=f"{reason}") from error


def _tensor(detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"]).name
    shape = tuple(int(size) for size in detail["shape"])
    # A batch left open is one until somebody asks for more.
    if -1 in detail.get("shape_signature", ())[1:]:
        raise BackendError(
            expected="static shapes",
            found=f"tensor {detail['name']} with {list(detail['shape_signature'])}",
            hint="Convert it with a fixed batch of 1.",
        )
    return Tensor(name=detail["name"], shape=shape, dtype=dtype, scale=float(scale) or 1.0, zero_point=int(zero_point))


def _places(file: str, wanted: tuple[Tensor, ...], details: list[dict[str, Any]]) -> list[int]:
    """Interpreter's tensor indices in the part's order; the file must hold just the tensors that the manifest names."""
    found = {detail["name"]: detail for detail in details}
    described = [_tensor(found[tensor.name]) if tensor.name in found else None for tensor in wanted]
    if len(found) != len(wanted) or described != list(wanted):
        raise PartsDoNotJoin(
            expected=f"{file} to have the tensors {wanted} that the manifest names", got=described, found=f"{described}"
        )
    return [int(found[tensor.name]["index"]) for tensor in wanted]
