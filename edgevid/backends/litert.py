"""The LiteRT backend; the only file that imports the interpreter.

`ai-edge-litert` is preferred; `tflite-runtime` replaces it on Python 3.11. XNNPACK is the
interpreter's default delegate. An external delegate claims operators first, and XNNPACK gets the
rest.
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

from edgevid.bundle.parts import Part, Tensor
from edgevid.errors import BackendError, DelegateError, EdgevidError, MissingDependency, PartsDoNotJoin
from edgevid.frames import Array

_PACKAGES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))
_FLEX_REASON = (
    "it needs TensorFlow's own operators (Flex), which no device runtime has; "
    "convert it again with builtin operators only"
)
# Marks in the interpreter's messages, and the reasons to report for them. The first match counts.
_REASONS = (
    ("edgetpu-custom-op", "it was compiled for the Edge TPU and needs one, or its uncompiled twin"),
    ("Select TensorFlow op", _FLEX_REASON),
    ("Flex", _FLEX_REASON),
    # After the others: an Edge TPU or Flex operator is an unresolved custom operator as well.
    ("unresolved custom op", "it holds a custom operator that this interpreter does not know"),
)
# Beginnings of the names of operators that keep variables between invocations.
_STATEFUL = ("UNIDIRECTIONAL_SEQUENCE", "BIDIRECTIONAL_SEQUENCE", "LSTM", "RNN", "SVDF", "VAR_HANDLE")


class LiteRt:
    """The LiteRT interpreter on the CPU or with an external delegate.

    Args:
        threads: Interpreter threads, >= 1.
        library: Shared library of an external delegate: a path, or a name for the dynamic linker;
            None for no delegate.
        options: Options for the delegate.

    Raises:
        MissingDependency: No interpreter is installed.
        DelegateError: The delegate could not be loaded, or it rejects its options or the device.
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
        """Load one part and check its tensors against the manifest.

        Args:
            part: The part's entry in the manifest.
            data: Content of the `.tflite` file.

        Raises:
            BackendError: The interpreter rejects the file.
            PartsDoNotJoin: The file's tensors differ from those of `part`.
        """
        interpreter = self.open(data, part.file)
        with _rejecting_damage(part.file):
            inputs = _places(part.file, part.inputs, interpreter.get_input_details())
            outputs = _places(part.file, part.outputs, interpreter.get_output_details())
        # A fused recurrent operator keeps its state between invocations, but each window starts
        # from zeros.
        reset = interpreter.reset_all_variables if part.role == "whole" and _keeps_state(interpreter) else None
        return LiteRtModel(interpreter, part.file, inputs, outputs, reset=reset)

    def describe(self, data: bytes, name: str = "model") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the inputs and outputs of a `.tflite` file by their names in its signature.

        Args:
            data: Content of the file.
            name: Name of the file for error messages.

        Returns:
            Inputs and outputs by signature name, or by tensor name if the file has no signature.

        Raises:
            BackendError: The interpreter rejects the file.
        """
        interpreter = self.open(data, name)
        with _rejecting_damage(name):
            signatures = interpreter.get_signature_list()
            if not signatures:
                inputs = {each["name"]: _tensor(each) for each in interpreter.get_input_details()}
                outputs = {each["name"]: _tensor(each) for each in interpreter.get_output_details()}
                return inputs, outputs
            runner = interpreter.get_signature_runner(next(iter(signatures)))
            inputs = {key: _tensor(each) for key, each in runner.get_input_details().items()}
            outputs = {key: _tensor(each) for key, each in runner.get_output_details().items()}
            return inputs, outputs

    def operators(self, data: bytes, name: str = "model") -> dict[str, int]:
        """Count the operators of any `.tflite` file, even if this interpreter cannot run it.

        Args:
            data: Content of the file.
            name: Name of the file for error messages.

        Returns:
            Occurrences by name: builtin names, "Flex..." for TensorFlow's own operators, and names
            of custom operators.

        Raises:
            BackendError: The file is not a `.tflite` model.
        """
        with _rejecting_damage(name):
            # Do not allocate tensors: that step rejects operators that the interpreter cannot run.
            details = self._interpreter(data)._get_ops_details()
        names = [str(each["op_name"]) for each in details if each["op_name"] != "DELEGATE"]
        return {each: names.count(each) for each in sorted(set(names))}

    def tensors(
        self, data: bytes, name: str = "model"
    ) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
        """Describe the tensors of any `.tflite` file, even if this interpreter cannot run it.

        Args:
            data: Content of the file.
            name: Name of the file for error messages.

        Returns:
            Inputs and outputs in the file's order: "name", "shape" with -1 for an open size,
            "dtype", "scale", "zero_point".

        Raises:
            BackendError: The file is not a `.tflite` model.
        """
        with _rejecting_damage(name):
            interpreter = self._interpreter(data)
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
            return tuple(map(_plain, inputs)), tuple(map(_plain, outputs))

    def open(self, data: bytes, name: str) -> Any:
        """Create an interpreter with allocated tensors.

        Args:
            data: Content of the `.tflite` file.
            name: Name of the file for error messages.

        Returns:
            The package's `Interpreter`.

        Raises:
            BackendError: The interpreter rejects the file.
        """
        try:
            interpreter = self._interpreter(data)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            known = (reason for mark, reason in _REASONS if mark in str(error))
            reason = next(known, _first_line(error))
            raise BackendError(expected=f"a model that {self.name} can run", found=f"{name}: {reason}") from error
        return interpreter

    def _interpreter(self, data: bytes) -> Any:
        with warnings.catch_warnings():
            # tflite-runtime 2.14 advises to use ai-edge-litert, which `_import` prefers.
            warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
            return self._module.Interpreter(
                model_content=data, num_threads=self._threads, experimental_delegates=self._delegates or None
            )


class LiteRtModel:
    """One loaded part.

    Args:
        interpreter: An interpreter with allocated tensors.
        name: Name of the file for error messages.
        inputs: Tensor indices in the part's order.
        outputs: Tensor indices in the part's order.
        reset: Clears variables that the model keeps between invocations; called before each one.
    """

    def __init__(
        self,
        interpreter: Any,
        name: str,
        inputs: list[int],
        outputs: list[int],
        *,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self._interpreter = interpreter
        self._name = name
        self._reset = reset
        self._inputs = inputs
        self._outputs = outputs

    def write(self, index: int, values: Array) -> None:
        """Copy an array into an input.

        Args:
            index: Position in `Part.inputs`.
            values: Array of the tensor's exact type and shape, including the batch of 1; the
                interpreter rejects others.

        Cost: 2.0 us for 12 KiB (x86); a copy through `Interpreter.tensor` takes 4 us.
        """
        self._interpreter.set_tensor(self._inputs[index], values)

    def invoke(self) -> None:
        """Run the part.

        Raises:
            BackendError: The interpreter failed.
        """
        try:
            if self._reset is not None:
                self._reset()
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BackendError(expected=f"{self._name} to run", found=f"the interpreter failed: {error}") from error

    def read(self, index: int) -> Array:
        """Return an output.

        Args:
            index: Position in `Part.outputs`.

        Returns:
            A new array of the tensor's type and shape, including the batch of 1.

        Cost: 1.2 us for a feature (x86); a copy through `Interpreter.tensor` takes 2.9 us.
        """
        return self._interpreter.get_tensor(self._outputs[index])

    def carry(self, output: int, target: int) -> None:
        """Copy an output to an input of its type and shape, such as a state for the next frame.

        Args:
            output: Position in `Part.outputs`.
            target: Position in `Part.inputs`.

        Cost: 0.6 ms for the states of MoViNet-A0 (2.7 MB, x86), as much as `read` and `write` take.
        Those would allocate them anew for every frame.
        """
        # The interpreter keeps the memory of inputs and outputs apart. It refuses to run while views
        # exist, so none is kept.
        tensor = self._interpreter.tensor
        np.copyto(tensor(self._inputs[target])(), tensor(self._outputs[output])())


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
def _rejecting_damage(name: str) -> Iterator[None]:
    """Turn any error of the package over a damaged file into a `BackendError`."""
    try:
        yield
    except EdgevidError:
        raise
    # TypeError and LookupError: names that are not UTF-8, and indices of tensors that do not exist.
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
    """Load an external delegate; the interpreter keeps it alive as long as it needs it."""
    try:
        # Look up both symbols first: if one is missing, the package's own loader leaves a half-made
        # object behind whose finaliser raises.
        _ = (opened := ctypes.CDLL(library)).tflite_plugin_create_delegate, opened.tflite_plugin_destroy_delegate
        return module.load_delegate(library, options)
    except (OSError, ValueError, AttributeError) as error:
        # The last line of the package's message holds the delegate's own reason.
        reason = " ".join(str(error).splitlines()[-1:]) or "no reason given"
        raise DelegateError(expected=f"the delegate {library} to load", got=reason, found=reason) from error


def _tensor(detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"]).name
    shape = tuple(int(size) for size in detail["shape"])
    # An open batch size is fine: the interpreter allocates a batch of 1 unless resized.
    if -1 in detail.get("shape_signature", ())[1:]:
        raise BackendError(
            expected="static shapes",
            found=f"tensor {detail['name']} with {list(detail['shape_signature'])}",
            hint="Convert it with a fixed batch of 1.",
        )
    # The interpreter reports scale 0 for a tensor without quantisation, `Tensor` uses 1.
    return Tensor(name=detail["name"], shape=shape, dtype=dtype, scale=float(scale) or 1.0, zero_point=int(zero_point))


def _places(file: str, expected: tuple[Tensor, ...], details: list[dict[str, Any]]) -> list[int]:
    """Return the interpreter's tensor indices in the part's order; reject other tensors."""
    by_name = {detail["name"]: detail for detail in details}
    actual = [_tensor(by_name[tensor.name]) if tensor.name in by_name else None for tensor in expected]
    if len(by_name) != len(expected) or actual != list(expected):
        raise PartsDoNotJoin(
            expected=f"{file} to have the tensors {expected} that the manifest names", got=actual, found=str(actual)
        )
    return [int(by_name[tensor.name]["index"]) for tensor in expected]
