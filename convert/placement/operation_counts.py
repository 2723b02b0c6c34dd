"""Count the work of a `.tflite` file by class of operator: multiplications, weights and values moved."""

from __future__ import annotations

import math
from collections.abc import Callable

from convert.tflite_file import FileTensor, Operator, TfliteFile, read_tflite
from edgevid.bundle import Bundle
from edgevid.prediction.boards import PartWork
from edgevid.prediction.work import Work

# They rename a tensor's axes and touch none of its values.
_FREE = {"RESHAPE", "EXPAND_DIMS", "SQUEEZE"}


def parts_work(bundle: Bundle) -> tuple[PartWork, ...]:
    """Return the work of each part of a bundle, in their order.

    Raises:
        ModelError: A part is no `.tflite` file.
    """
    return tuple(
        PartWork(precision=part.precision, work=count(read_tflite(bundle.models[part.file], part.file)))
        for part in bundle.manifest.parts
    )


def count(file: TfliteFile) -> Work:
    """Return the work of one run of a file."""
    total = Work()
    for operator in file.operators:
        total += _work(file, operator)
    return total


def _work(file: TfliteFile, operator: Operator) -> Work:
    inputs = [file.tensors[index] for index in operator.inputs if index >= 0]
    outputs = [file.tensors[index] for index in operator.outputs]
    if operator.kind in _FREE:
        return Work()
    moved = sum(_size(each) for each in (*inputs, *outputs) if each.constant is None)
    if operator.kind not in _PRODUCTS:
        return Work(moved=moved)
    name, products = _PRODUCTS[operator.kind]
    weights = sum(_size(each) for each in inputs if each.constant is not None and len(each.shape) > 1)
    return Work(moved=moved, weights=weights) + Work(**{name: products(operator, inputs, outputs)})


def _size(tensor: FileTensor) -> int:
    return math.prod(tensor.shape)


def _convolution(_operator: Operator, inputs: list[FileTensor], outputs: list[FileTensor]) -> int:
    # A filter (O, h, w, I): each number of the output takes h * w * I products.
    return _size(outputs[0]) * math.prod(inputs[1].shape[1:])


def _depthwise(_operator: Operator, inputs: list[FileTensor], outputs: list[FileTensor]) -> int:
    # A filter (1, h, w, C): h * w products.
    return _size(outputs[0]) * math.prod(inputs[1].shape[1:3])


def _convolution_3d(_operator: Operator, inputs: list[FileTensor], outputs: list[FileTensor]) -> int:
    # A filter (d, h, w, I, O).
    return _size(outputs[0]) * math.prod(inputs[1].shape[:-1])


def _transposed(_operator: Operator, inputs: list[FileTensor], _outputs: list[FileTensor]) -> int:
    # Inputs are the output's shape, a filter (O, h, w, I) and the values, each of which meets O * h * w weights.
    return _size(inputs[2]) * math.prod(inputs[1].shape[:-1])


def _matrices(operator: Operator, inputs: list[FileTensor], outputs: list[FileTensor]) -> int:
    return _size(outputs[0]) * inputs[0].shape[-2 if operator.options.get("adjX") else -1]


def _sequence(operator: Operator, inputs: list[FileTensor], _outputs: list[FileTensor]) -> int:
    # The fused recurrent layers multiply each of their matrices once a step.
    matrices = sum(_size(each) for each in inputs[1:] if each.constant is not None and len(each.shape) == 2)
    steps = inputs[0].shape[0 if operator.options.get("timeMajor") else 1]
    return matrices * steps


_Products = Callable[[Operator, list[FileTensor], list[FileTensor]], int]
# Kind of operator -> its class of work, and its number of multiplications.
_PRODUCTS: dict[str, tuple[str, _Products]] = {
    "CONV_2D": ("convolution", _convolution),
    "CONV_3D": ("convolution", _convolution_3d),
    "TRANSPOSE_CONV": ("convolution", _transposed),
    "DEPTHWISE_CONV_2D": ("depthwise", _depthwise),
    "FULLY_CONNECTED": ("dense", _convolution),
    "BATCH_MATMUL": ("dense", _matrices),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("dense", _sequence),
    "UNIDIRECTIONAL_SEQUENCE_RNN": ("dense", _sequence),
}
