"""What a `.tflite` file holds, read from its bytes: operators with their options, tensors with their grids and constants.

Source of the format: TensorFlow Lite's schema, https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
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
# Of the types whose numbers have whole bytes of their own.
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


@dataclass(frozen=True)
class FileTensor:
    """A tensor of the file.

    Attributes:
        name: As the file has it.
        shape: With the batch.
        dtype: The schema's name of its type in lower case, as "int8".
        scales: Quantisation scales: none, one, or one a channel.
        zero_points: As many.
        constant: Its numbers, flat, where the file holds them; None for an activation.
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
        kind: The schema's name as "CONV_2D", or a custom operator's own name.
        custom: Whether it is no builtin.
        version: Of the builtin.
        inputs: Numbers of its tensors; -1 for one left out.
        outputs: Numbers of its tensors.
        options: The schema's fields, as "fusedActivationFunction".
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
        operators: In order.
        tensors: By number.
        inputs: Numbers of the file's inputs.
        outputs: Numbers of the file's outputs.
    """

    operators: tuple[Operator, ...]
    tensors: tuple[FileTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def constants(self) -> Iterator[FileTensor]:
        """Give the tensors that the file holds numbers of."""
        return (tensor for tensor in self.tensors if tensor.constant is not None)


def read_tflite(data: bytes, name: str = "the part") -> TfliteFile:
    """Read a `.tflite` file.

    Args:
        data: The file.
        name: For error messages.

    Returns:
        Its first subgraph; constants are views into `data`.

    Raises:
        ModelError: It is none.
    """
    with _reading(data, name) as (schema, model):
        return _subgraph(schema, model)


def check_whole(data: bytes, name: str) -> None:
    """Refuse a file whose parts do not fit together: an interpreter follows them wherever they lead, and may end its process there.

    Args:
        data: The file.
        name: For the error message.

    Raises:
        ModelError: It is none, points at what is not there, or holds another number of bytes than a tensor's shape says.
    """
    with _reading(data, name) as (schema, model):
        sizes = {number: _BYTES[kind] for kind, number in vars(schema.TensorType).items() if kind in _BYTES}
        for graph in model.subgraphs:
            count = len(graph.tensors)
            _refuse_unless(
                all(-1 <= number < count for each in graph.operators for number in _numbers(each.inputs)),
                "inputs of operators that are there",
            )
            _refuse_unless(
                all(0 <= number < count for each in graph.operators for number in _numbers(each.outputs)),
                "outputs of operators that are there",
            )
            _refuse_unless(
                all(0 <= number < count for number in (*_numbers(graph.inputs), *_numbers(graph.outputs))),
                "inputs and outputs that are there",
            )
            _refuse_unless(
                all(0 <= each.opcodeIndex < len(model.operatorCodes) for each in graph.operators),
                "operators of a kind that is there",
            )
            for tensor in graph.tensors:
                _check_tensor(tensor, model.buffers, sizes)


def _check_tensor(tensor: Any, buffers: Sequence[Any], sizes: Mapping[int, int]) -> None:
    tensor.name.decode()
    _refuse_unless(0 <= tensor.buffer < len(buffers), "the bytes of a tensor")
    shape, stored, grid = _numbers(tensor.shape), buffers[tensor.buffer].data, tensor.quantization
    _refuse_unless(all(size >= 0 for size in shape), "sizes of 0 and more")
    # Bytes behind the end of the structure, and those of sparse tensors, are of another number.
    if stored is not None and len(stored) and tensor.sparsity is None and tensor.type in sizes:
        _refuse_unless(len(stored) == math.prod(shape) * sizes[tensor.type], "as many bytes as a tensor's shape says")
    scales = 0 if grid is None or grid.scale is None else len(grid.scale)
    if grid is not None and scales > 1:
        _refuse_unless(
            0 <= grid.quantizedDimension < len(shape) and scales == shape[grid.quantizedDimension],
            "one scale, or one a channel",
        )


def _refuse_unless(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


@contextlib.contextmanager
def _reading(data: bytes, name: str) -> Iterator[tuple[Any, Any]]:
    """Give the schema and the whole file as its objects, and make a refusal of whatever comes of a damaged one."""
    schema = internals.tflite_schema()

    if data[_IDENTIFIER_AT : _IDENTIFIER_AT + len(_IDENTIFIER)] != _IDENTIFIER:
        raise ModelError(expected="a .tflite file", found=f"other bytes in {name}")
    try:
        yield schema, schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    except (struct.error, LookupError, TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        # The generated reader follows offsets wherever they lead.
        raise ModelError(
            expected="a whole .tflite file", found=f"a damaged one in {name} ({type(error).__name__}: {error})"
        ) from error


def _subgraph(schema: Any, model: Any) -> TfliteFile:
    graph = model.subgraphs[0]
    kinds, types = _names(schema.BuiltinOperator), _names(schema.TensorType)
    return TfliteFile(
        tuple(_operator(kinds, model.operatorCodes[each.opcodeIndex], each) for each in graph.operators),
        tuple(_tensor(types, model, each) for each in graph.tensors),
        _numbers(graph.inputs),
        _numbers(graph.outputs),
    )


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _operator(kinds: Mapping[int, str], code: Any, operator: Any) -> Operator:
    # Files older than 2020 keep the kind in a byte of its own.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    custom = code.customCode is not None
    kind = code.customCode.decode() if custom else kinds[number]
    options = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
    return Operator(kind, custom, int(code.version), _numbers(operator.inputs), _numbers(operator.outputs), options)


def _numbers(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(each) for each in values)


def _tensor(types: Mapping[int, str], model: Any, tensor: Any) -> FileTensor:
    grid, dtype = tensor.quantization, types[tensor.type].lower()
    scales = () if grid is None or grid.scale is None else tuple(float(each) for each in grid.scale)
    zero_points = _numbers(grid.zeroPoint) if grid is not None else ()
    return FileTensor(
        tensor.name.decode(),
        _numbers(tensor.shape),
        dtype,
        scales,
        zero_points,
        _constant(dtype, model.buffers[tensor.buffer].data),
    )


def _constant(dtype: str, stored: Any) -> Array | None:
    if (
        stored is None
        or len(stored) == 0
        or dtype not in ("int8", "uint8", "int16", "int32", "int64", "float16", "float32")
    ):
        return None
    return np.frombuffer(bytes(stored), dtype)
