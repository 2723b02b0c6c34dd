"""Reader and integrity check for `.tflite` files.

It reads operators with their options, and tensors with their grids and constants.

Source of the format: TensorFlow Lite's schema,
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convert.frameworks import internals
from edgevid.errors import ModelError
from edgevid.frames import Array

_IDENTIFIER, _IDENTIFIER_AT = b"TFL3", 4
# Bytes of one number, by the schema's name of its type. Types that pack numbers (INT4) or hold text
# have none.
_BYTES = {
    "INT8": 1,
    "UINT8": 1,
    "BOOL": 1,
    "INT16": 2,
    "UINT16": 2,
    "FLOAT16": 2,
    "INT32": 4,
    "UINT32": 4,
    "FLOAT32": 4,
    "INT64": 8,
    "FLOAT64": 8,
}
# Types whose constants are read; constants of other types are None.
_NUMPY_DTYPES = ("int8", "uint8", "int16", "int32", "int64", "float16", "float32")


@dataclass(frozen=True)
class FileTensor:
    """A tensor of the file.

    Attributes:
        name: The tensor's name in the file.
        shape: The shape, with the batch.
        dtype: The schema's name of the type in lower case, such as "int8".
        scales: Quantization scales: none, one, or one for each channel.
        zero_points: Zero points, as many as scales.
        constant: The flat values of a constant; None for an activation.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    constant: Array | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Operator:
    """An operator of the file.

    Attributes:
        kind: The schema's name, such as "CONV_2D", or the name of a custom operator.
        custom: Whether the operator is custom rather than built in.
        version: Version of the built-in operator.
        inputs: Indices of its input tensors; -1 for an optional input that is absent.
        outputs: Indices of its output tensors.
        options: The schema's fields by name, such as "fusedActivationFunction".
    """

    kind: str
    custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class TfliteFile:
    """The first subgraph of a file.

    Attributes:
        operators: In the order in which they run.
        tensors: Every tensor; operators refer to them by index.
        inputs: Indices of the file's inputs.
        outputs: Indices of the file's outputs.
    """

    operators: tuple[Operator, ...]
    tensors: tuple[FileTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def constants(self) -> Iterator[FileTensor]:
        """Iterate over the tensors whose values are in the file."""
        return (tensor for tensor in self.tensors if tensor.constant is not None)


def read_tflite(data: bytes, name: str = "the part") -> TfliteFile:
    """Read a `.tflite` file.

    Args:
        data: The file's bytes.
        name: The file's name, for error messages.

    Returns:
        The first subgraph.

    Raises:
        ModelError: The bytes are not a `.tflite` file, or a damaged one.
    """
    with _parsed(data, name) as (schema, model):
        return _subgraph(schema, model)


def check_whole(data: bytes, name: str) -> None:
    """Reject a file whose offsets, indices and sizes do not fit together.

    An interpreter follows them unchecked, and may crash its process.

    Args:
        data: The file's bytes.
        name: The file's name, for error messages.

    Raises:
        ModelError: The bytes are not a `.tflite` file, an index is out of range, or a constant has
            another size than its shape.
    """
    with _parsed(data, name) as (schema, model):
        bytes_by_type = {number: _BYTES[kind] for kind, number in vars(schema.TensorType).items() if kind in _BYTES}
        for graph in model.subgraphs:
            _check_indices(graph, len(model.operatorCodes))
            for tensor in graph.tensors:
                _check_tensor(tensor, model.buffers, bytes_by_type)


def _check_indices(graph: Any, operator_codes: int) -> None:
    count = len(graph.tensors)
    # -1 marks an optional input that is absent, such as a bias; outputs are never optional.
    _check(
        all(-1 <= index < count for each in graph.operators for index in _integers(each.inputs)),
        "inputs of operators in range",
    )
    _check(
        all(0 <= index < count for each in graph.operators for index in _integers(each.outputs)),
        "outputs of operators in range",
    )
    _check(
        all(0 <= index < count for index in (*_integers(graph.inputs), *_integers(graph.outputs))),
        "inputs and outputs in range",
    )
    _check(all(0 <= each.opcodeIndex < operator_codes for each in graph.operators), "operators of a listed kind")


def _check_tensor(tensor: Any, buffers: Sequence[Any], bytes_by_type: Mapping[int, int]) -> None:
    # Raises UnicodeDecodeError, a ValueError, on a name that is not text.
    tensor.name.decode()
    _check(0 <= tensor.buffer < len(buffers), "a buffer for each tensor")
    shape, stored, grid = _integers(tensor.shape), buffers[tensor.buffer].data, tensor.quantization
    _check(all(size >= 0 for size in shape), "sizes of at least 0")
    # Sparse tensors store fewer bytes than their shape. The buffer is empty for activations, and
    # for constants that a file of more than 2 GB stores behind the structure.
    if stored is not None and len(stored) and tensor.sparsity is None and tensor.type in bytes_by_type:
        _check(
            len(stored) == math.prod(shape) * bytes_by_type[tensor.type], "as many bytes as a tensor's shape requires"
        )
    scales = 0 if grid is None or grid.scale is None else len(grid.scale)
    if grid is not None and scales > 1:
        _check(
            0 <= grid.quantizedDimension < len(shape) and scales == shape[grid.quantizedDimension],
            "one scale, or one for each channel",
        )


def _check(holds: bool, expected: str) -> None:
    """Raise what `_parsed` turns into a ModelError."""
    if not holds:
        raise ValueError(f"expected {expected}")


@contextlib.contextmanager
def _parsed(data: bytes, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield the schema and the parsed file; turn any error in the body into a ModelError."""
    schema = internals.tflite_schema()

    if data[_IDENTIFIER_AT : _IDENTIFIER_AT + len(_IDENTIFIER)] != _IDENTIFIER:
        raise ModelError(expected="a .tflite file", found=f"other bytes in {name}")
    try:
        yield schema, schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    # The generated reader checks no offset, so that damaged bytes can raise nearly anything.
    except (struct.error, LookupError, TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        raise ModelError(
            expected="a whole .tflite file", found=f"a damaged one in {name} ({type(error).__name__}: {error})"
        ) from error


def _subgraph(schema: Any, model: Any) -> TfliteFile:
    graph = model.subgraphs[0]
    kinds, types = _names(schema.BuiltinOperator), _names(schema.TensorType)
    return TfliteFile(
        tuple(_operator(kinds, model.operatorCodes[each.opcodeIndex], each) for each in graph.operators),
        tuple(_tensor(types, model, each) for each in graph.tensors),
        _integers(graph.inputs),
        _integers(graph.outputs),
    )


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _operator(kinds: Mapping[int, str], code: Any, operator: Any) -> Operator:
    # Files older than 2020 have the kind in a field of one byte, and 0 in the field that replaced
    # it.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    custom = code.customCode is not None
    kind = code.customCode.decode() if custom else kinds[number]
    options = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
    return Operator(kind, custom, int(code.version), _integers(operator.inputs), _integers(operator.outputs), options)


def _integers(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(each) for each in values)


def _tensor(types: Mapping[int, str], model: Any, tensor: Any) -> FileTensor:
    grid, dtype = tensor.quantization, types[tensor.type].lower()
    scales = () if grid is None or grid.scale is None else tuple(float(each) for each in grid.scale)
    zero_points = _integers(grid.zeroPoint) if grid is not None else ()
    return FileTensor(
        tensor.name.decode(),
        _integers(tensor.shape),
        dtype,
        scales,
        zero_points,
        _constant(dtype, model.buffers[tensor.buffer].data),
    )


def _constant(dtype: str, stored: Any) -> Array | None:
    if stored is None or len(stored) == 0 or dtype not in _NUMPY_DTYPES:
        return None
    return np.frombuffer(bytes(stored), dtype)
