"""Translate the operators of a `.onnx` file to calls of layers, for one window."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.graph.layer_graph import ModelGraph, needed
from convert.onnx_file import elementwise, products, reductions, shaping, windows
from convert.onnx_file.builder import Builder, Node, Order, as_float
from convert.onnx_file.folding import FOLDABLE, MOST_NUMBERS, fold, too_large
from convert.onnx_file.read import OnnxFile, import_onnx
from edgevid.errors import EdgevidError, ModelError

OPERATORS: dict[str, Callable[[Builder, Node], None]] = {
    **elementwise.OPERATORS,
    **shaping.OPERATORS,
    **products.OPERATORS,
    **windows.OPERATORS,
    **reductions.OPERATORS,
}


@dataclass(frozen=True)
class ImportedGraph:
    """The calls of a file.

    Attributes:
        graph: The model, whose input has its axes in the order of the device.
        layers: The Keras layers among the calls.
    """

    graph: ModelGraph
    layers: tuple[Any, ...]


def check_operators(file: OnnxFile) -> None:
    """Reject operators that have no counterpart, before anything is translated.

    Raises:
        ModelError: The message names them.
    """
    known = {*OPERATORS, *FOLDABLE, "Constant", "Shape"}
    unknown = sorted({node.op_type for node in file.model.graph.node} - known)
    if unknown:
        raise ModelError(
            expected="operators with a counterpart on the device",
            got=unknown,
            found=f"{', '.join(unknown)} in {file.path}",
            hint="Export the model without them, or give its trained model as .keras, SavedModel or .tflite.",
            path=file.path,
        )


def import_graph(file: OnnxFile, shape: Sequence[int], order: Order) -> ImportedGraph:
    """Translate a file.

    Args:
        file: The checked file.
        shape: Shape of its input with a batch of 1, in the file's order, without open sizes.
        order: For each axis that the device delivers, the axis in the file.

    Raises:
        ModelError: An operator has no counterpart, or the file contradicts itself.
    """
    check_operators(file)
    if math.prod(shape) > MOST_NUMBERS:
        raise too_large(file.frame.name)
    build, stored = Builder(), tuple(shape[axis] for axis in order)
    # Symbolic, for the shapes: nothing is computed.
    with internals.symbolic(stored) as window:
        start = build.start(file.frame.name, window, order)
        _translate(file, build)
    names = tuple(each.name for each in file.model.graph.output)
    return ImportedGraph(_graph(file, build, start, stored, names), tuple(build.layers))


def _graph(file: OnnxFile, build: Builder, start: int, stored: tuple[int, ...], names: tuple[str, ...]) -> ModelGraph:
    return ModelGraph(
        calls=needed(build.calls, build.outputs),
        inputs=(start,),
        outputs=build.outputs,
        input_shapes=(stored[1:],),
        output_shapes=tuple(build.shape(name)[1:] for name in names),
        input_names=(file.frame.name,),
        output_names=names,
    )


def _translate(file: OnnxFile, build: Builder) -> None:
    build.constants.update({name: as_float(array) for name, array in file.weights.items()})
    read = {name for proto in file.model.graph.node for name in proto.input}
    read |= {each.name for each in file.model.graph.output}
    for proto in file.model.graph.node:
        try:
            _translate_node(_node(proto, read, file.opset), proto, build)
        except EdgevidError:
            raise
        except Exception as error:  # a damaged file can raise anything, in numpy and in TensorFlow
            raise ModelError(
                expected=f"{proto.op_type} {proto.name!r} to fit its inputs",
                found=f"{reason_of(error)} in {file.path}",
                hint="Export the model again.",
                path=file.path,
            ) from error
    build.outputs = tuple(_outputs(file, build))


def _outputs(file: OnnxFile, build: Builder) -> Iterator[int]:
    for each in file.model.graph.output:
        if not build.is_tensor(each.name):
            raise ModelError(
                expected="outputs that the input changes",
                found=f"{each.name!r} in {file.path}, which it does not",
                path=file.path,
            )
        yield build.read(each.name)


def _node(proto: Any, read: AbstractSet[str], opset: int) -> Node:
    get = import_onnx().helper.get_attribute_value
    return Node(
        proto.op_type,
        proto.name or next(iter(proto.output), proto.op_type),
        tuple(proto.input),
        # Exporters name outputs that nothing reads, such as the last state of a cell.
        tuple(each if each in read else "" for each in proto.output),
        {each.name: get(each) for each in proto.attribute},
        opset,
    )


def _translate_node(node: Node, proto: Any, build: Builder) -> None:
    if node.op == "Constant":
        build.constants[node.output(0)] = _constant(node)
    elif node.op == "Shape":
        shape = build.shape(node.input(0))
        part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
        build.constants[node.output(0)] = np.array(shape[part], np.int64)
    elif node.op in FOLDABLE and all(not name or build.is_constant(name) for name in node.inputs):
        arrays = [build.constants[name] if name else None for name in node.inputs]
        build.keep(dict(zip(proto.output, fold(proto, arrays, node.opset), strict=True)))
    elif node.op in OPERATORS:
        OPERATORS[node.op](build, node)
    else:
        raise node.lacks("constant inputs", "computed ones")


def _constant(node: Node) -> Any:
    onnx = import_onnx()
    given = node.attributes
    if "value" in given:
        return as_float(onnx.numpy_helper.to_array(given["value"]))
    for name, kind in (("float", np.float32), ("floats", np.float32), ("int", np.int64), ("ints", np.int64)):
        if f"value_{name}" in given:
            return np.array(given[f"value_{name}"], kind)
    raise node.lacks("numbers", ", ".join(given))
