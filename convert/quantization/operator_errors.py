"""The loss of each operator of a part through its own precision, in any precision.

TensorFlow's QuantizationDebugger supports int8 only. Asked for int16, it gives int16 tensors zero points, which
the kernels reject (TensorFlow 2.21); to it, float16 is no quantisation.

Its method works with any two files of one part:

1. In the float32 file each operator gets inputs of its own, in place of the outputs of other operators.
2. The measured file runs, and the real numbers of its tensors become these inputs.
3. The difference between an operator's outputs in both files is its own error, not that of the operators before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.frameworks import internals
from edgevid.errors import ConversionError
from edgevid.frames import Array
from edgevid.quant import DTYPES, QuantParams, dequantize, quantize

# Operators between two kinds of numbers. Each precision has others, so they have no twins.
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")
_Values = dict[int, Array]


@dataclass(frozen=True)
class OperatorOutputs:
    """The outputs of one operator for the same inputs, in float32 and in the measured precision.

    Attributes:
        number: Index of the operator in the file.
        operator: Name in the schema, such as "CONV_2D".
        tensor: Name of its first output in the float32 file.
        floating: The float32 output, flat.
        stored: The real numbers of the other output, flat.
    """

    number: int
    operator: str
    tensor: str
    floating: Array
    stored: Array


@dataclass(frozen=True)
class _Pair:
    """An operator in both files, with the numbers of its output tensors."""

    kind: str
    floating: tuple[int, ...]
    measured: tuple[int, ...]


def compare_operators(
    tf: Any, floating: bytes, measured: bytes, samples: Sequence[Mapping[str, Array]]
) -> Iterator[OperatorOutputs]:
    """Compare each operator of a file with its twin in float32.

    Args:
        tf: The module tensorflow.
        floating: The part in float32.
        measured: The part in the measured precision.
        samples: Real inputs of the part with the batch axis, by their names in the signature.

    Yields:
        For each sample the outputs of every operator.

    Raises:
        ConversionError: The converter made other operators for this precision, so there are no twins.
    """
    runner, whole, isolated = (_interpreter(tf, data) for data in (measured, floating, isolate_operators(floating)))
    pairs = _pairs(whole, runner)
    inputs = {name: int(each["index"]) for name, each in whole.get_signature_runner().get_input_details().items()}
    # `isolate_operators` appended the new inputs in the order of the tensors that they replace.
    replaced = {
        int(detail["index"]): number
        for detail, number in zip(isolated.get_input_details(), _operator_inputs(floating), strict=True)
    }
    for sample in samples:
        values = {inputs[name]: array for name, array in sample.items()} | _run_measured(runner, sample, pairs)
        for index, number in replaced.items():
            isolated.set_tensor(index, values[number])
        isolated.invoke()
        for number, pair in enumerate(pairs):
            yield OperatorOutputs(
                number,
                pair.kind,
                internals.tensor_details(whole, pair.floating[0])["name"],
                _flat(map(isolated.get_tensor, pair.floating)),
                _flat(values[each] for each in pair.floating),
            )


def isolate_operators(data: bytes) -> bytes:
    """Return a file in which every operator has inputs of its own.

    Args:
        data: A `.tflite` file in float32.

    Returns:
        A file with the same operators and tensor numbers. Its inputs replace the tensors of `_operator_inputs`,
        in their order.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph, numbers = model.subgraphs[0], _operator_inputs(data)
    replacements = {number: len(graph.tensors) + index for index, number in enumerate(numbers)}
    graph.tensors += [graph.tensors[number] for number in numbers]
    for operator in graph.operators:
        operator.inputs = [replacements.get(int(number), int(number)) for number in operator.inputs]
    graph.inputs = list(replacements.values())
    graph.outputs = [int(number) for operator in graph.operators for number in operator.outputs]
    # Signatures name the old inputs and outputs.
    model.signatureDefs = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _operator_inputs(data: bytes) -> list[int]:
    """Return the numbers of the tensors that operators read from other operators or from the file's inputs."""
    from tensorflow.lite.tools import flatbuffer_utils

    graph = flatbuffer_utils.convert_bytearray_to_object(bytearray(data)).subgraphs[0]
    written = {int(number) for operator in graph.operators for number in operator.outputs}
    written |= {int(number) for number in graph.inputs}
    return sorted(written & {int(number) for operator in graph.operators for number in operator.inputs})


def _interpreter(tf: Any, data: bytes) -> Any:
    # Without delegates: the tensors between operators that a delegate fuses cannot be read.
    resolver = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(
        model_content=data, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    return interpreter


def _pairs(whole: Any, runner: Any) -> list[_Pair]:
    # By their order, not by name: a float16 file gives tensors the names that others have in float32.
    floating, measured = (
        [each for each in internals.operators_of(file) if each["op_name"] not in _BETWEEN] for file in (whole, runner)
    )
    if [each["op_name"] for each in floating] != [each["op_name"] for each in measured]:
        raise ConversionError(
            expected="the same operators in both precisions",
            found=f"{len(floating)} in float32 and {len(measured)} others",
        )
    return [
        _Pair(one["op_name"], tuple(map(int, one["outputs"])), tuple(map(int, other["outputs"])))
        for one, other in zip(floating, measured, strict=True)
    ]


def _run_measured(runner: Any, sample: Mapping[str, Array], pairs: Sequence[_Pair]) -> _Values:
    """Run the measured file; return the real numbers of its tensors by their numbers in the float32 file."""
    for name, detail in runner.get_signature_runner().get_input_details().items():
        runner.set_tensor(detail["index"], _to_stored(sample[name], detail))
    runner.invoke()
    return {
        number: _to_real(runner, other)
        for pair in pairs
        for number, other in zip(pair.floating, pair.measured, strict=True)
    }


def _flat(tensors: Any) -> Array:
    return np.concatenate([np.ravel(each) for each in tensors]).astype(np.float64)


def _grid(detail: Mapping[str, Any]) -> QuantParams | None:
    """Return a tensor's grid; None for plain numbers such as sizes and booleans."""
    (scale, zero_point), dtype = detail["quantization"], np.dtype(detail["dtype"]).name
    return QuantParams(dtype, float(scale), int(zero_point)) if scale and dtype in DTYPES else None


def _to_stored(values: Array, detail: Mapping[str, Any]) -> Array:
    grid = _grid(detail)
    return values.astype(detail["dtype"]) if grid is None else quantize(values, grid)


def _to_real(interpreter: Any, number: int) -> Array:
    grid, values = _grid(internals.tensor_details(interpreter, number)), interpreter.get_tensor(number)
    return values if grid is None else dequantize(values, grid)
