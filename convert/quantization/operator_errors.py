"""What a precision costs each operator of a part by itself, whatever the precision is.

TensorFlow's QuantizationDebugger knows int8 alone: asked for int16 it gives int16 tensors zero points, which the kernels refuse (TensorFlow 2.21), and
float16 is no quantisation to it. What it does can be done with any two files of one part. The file in float32 is cut apart: each operator gets inputs of
its own in the place of what other operators leave. The other file runs; what its tensors stand for goes into these inputs; and the difference between
what an operator answers there and what it answered here is its own error, not that of what came before.
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

# They lead from one kind of numbers to another: the other file has others, or none.
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")
_Values = dict[int, Array]


@dataclass(frozen=True)
class Compared:
    """One answer of an operator, given the same in float32 and in the precision that is measured.

    Attributes:
        number: The operator's place in the file.
        operator: The schema's name, as "CONV_2D".
        tensor: Name of its first output in the float32 file.
        floating: The float32 answer, flat.
        stored: What the other answer stands for, flat.
    """

    number: int
    operator: str
    tensor: str
    floating: Array
    stored: Array


@dataclass(frozen=True)
class _Pair:
    """An operator in both files: numbers of its output tensors."""

    kind: str
    floating: tuple[int, ...]
    made: tuple[int, ...]


def compare_operators(
    tf: Any, floating: bytes, made: bytes, samples: Sequence[Mapping[str, Array]]
) -> Iterator[Compared]:
    """Hold each operator of a file against its twin in float32.

    Args:
        tf: The module tensorflow.
        floating: The part in float32.
        made: The part as it was converted.
        samples: Real numbers for the part's inputs, by their names in the signature, with the batch.

    Yields:
        Every operator's answer to the first sample, then to the next.

    Raises:
        ConversionError: The converter made other operators for this precision, so that there are no twins.
    """
    answers, whole, alone = (_interpreter(tf, data) for data in (made, floating, cut_apart(floating)))
    pairs = _pairs(whole, answers)
    inputs = {name: int(each["index"]) for name, each in whole.get_signature_runner().get_input_details().items()}
    # The tensors that were put in for others stand at the end, in the others' order.
    places = {
        int(here["index"]): there for here, there in zip(alone.get_input_details(), _given(floating), strict=True)
    }
    for sample in samples:
        known = {inputs[name]: values for name, values in sample.items()} | _answered(answers, sample, pairs)
        for place, other in places.items():
            alone.set_tensor(place, known[other])
        alone.invoke()
        for number, pair in enumerate(pairs):
            name = internals.tensor_details(whole, pair.floating[0])["name"]
            yield Compared(
                number,
                pair.kind,
                name,
                _flat(map(alone.get_tensor, pair.floating)),
                _flat(known[each] for each in pair.floating),
            )


def cut_apart(data: bytes) -> bytes:
    """Give every operator of a file inputs of its own.

    Args:
        data: A `.tflite` file in float32.

    Returns:
        One with the same operators and tensor numbers. Its inputs stand for the tensors of `_given`, in their order.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph, given = model.subgraphs[0], _given(data)
    places = {number: len(graph.tensors) + index for index, number in enumerate(given)}
    graph.tensors += [graph.tensors[number] for number in given]
    for operator in graph.operators:
        operator.inputs = [places.get(int(number), int(number)) for number in operator.inputs]
    graph.inputs = list(places.values())
    graph.outputs = [int(number) for operator in graph.operators for number in operator.outputs]
    model.signatureDefs = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _given(data: bytes) -> list[int]:
    """Numbers of the tensors that an operator is given by another, or by the file's caller."""
    from tensorflow.lite.tools import flatbuffer_utils

    graph = flatbuffer_utils.convert_bytearray_to_object(bytearray(data)).subgraphs[0]
    left = {int(number) for operator in graph.operators for number in operator.outputs} | {
        int(number) for number in graph.inputs
    }
    return sorted(left & {int(number) for operator in graph.operators for number in operator.inputs})


def _interpreter(tf: Any, data: bytes) -> Any:
    resolver = (
        tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )  # a delegate keeps what it has between its operators to itself
    interpreter = tf.lite.Interpreter(
        model_content=data, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    return interpreter


def _pairs(whole: Any, answers: Any) -> list[_Pair]:
    here, there = (
        [each for each in internals.operators_of(file) if each["op_name"] not in _BETWEEN] for file in (whole, answers)
    )
    if [each["op_name"] for each in here] != [each["op_name"] for each in there]:
        raise ConversionError(
            expected="the same operators in both precisions", found=f"{len(here)} in float32 and {len(there)} others"
        )
    return [
        _Pair(one["op_name"], tuple(map(int, one["outputs"])), tuple(map(int, other["outputs"])))
        for one, other in zip(here, there, strict=True)
    ]


def _answered(answers: Any, sample: Mapping[str, Array], pairs: Sequence[_Pair]) -> _Values:
    """Run the measured file, and give what its tensors stand for by the numbers that they have in the float32 file."""
    for name, each in answers.get_signature_runner().get_input_details().items():
        answers.set_tensor(each["index"], _stored(sample[name], each))
    answers.invoke()
    return {here: _real(answers, there) for pair in pairs for here, there in zip(pair.floating, pair.made, strict=True)}


def _flat(answers: Any) -> Array:
    return np.concatenate([np.ravel(each) for each in answers]).astype(np.float64)


def _grid(detail: Mapping[str, Any]) -> QuantParams | None:
    """A tensor's grid; None where its numbers stand for themselves, as sizes and truths do."""
    (scale, zero_point), dtype = detail["quantization"], np.dtype(detail["dtype"]).name
    return QuantParams(dtype, float(scale), int(zero_point)) if scale and dtype in DTYPES else None


def _stored(values: Array, detail: Mapping[str, Any]) -> Array:
    grid = _grid(detail)
    return values.astype(detail["dtype"]) if grid is None else quantize(values, grid)


def _real(interpreter: Any, number: int) -> Array:
    grid, values = _grid(internals.tensor_details(interpreter, number)), interpreter.get_tensor(number)
    return values if grid is None else dequantize(values, grid)
