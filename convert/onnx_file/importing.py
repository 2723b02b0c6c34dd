"""Translate the operators of a `.onnx` file to calls of layers, for one window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.graph.layer_graph import ModelGraph, needed
from convert.onnx_file import elementwise, products, reductions, shaping, windows
from convert.onnx_file.builder import Builder, Node, Order, as_float
from convert.onnx_file.folding import FOLDABLE, fold
from convert.onnx_file.read import OnnxFile, import_onnx
from edgevid.errors import EdgevidError, ModelError
from edgevid.frames import Array

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
    build, stored = Builder(), tuple(shape[axis] for axis in order)
    # Symbolic, for the shapes: nothing is computed.
    with internals.symbolic(stored) as window:
        start = build.start(file.frame.name, window, order)
        _translate(file, build)
    names = tuple(each.name for each in file.model.graph.output)
    return ImportedGraph(_graph(file, build, start, stored, names), tuple(build.layers))


def _graph(file: OnnxFile, build: Builder, start: int, stored: tuple[int, ...], names: tuple[str, ...]) -> ModelGraph:
    if constant := [name for name in names if build.is_constant(name)]:
        raise ModelError(
            expected="outputs that the input changes",
            found=f"{', '.join(constant)} in {file.path}, which it does not",
            path=file.path,
        )
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
    onnx = import_onnx()
    for tensor in file.model.graph.initializer:
        build.constants[tensor.name] = _numbers(onnx.numpy_helper.to_array(tensor), tensor.name, file)
    read = {name for proto in file.model.graph.node for name in proto.input}
    read |= {each.name for each in file.model.graph.output}
    for proto in file.model.graph.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}
        name = proto.name or next(iter(proto.output), proto.op_type)
        # Exporters name outputs that nothing reads, such as the last state of a cell.
        outputs = tuple(each if each in read else "" for each in proto.output)
        node = Node(proto.op_type, name, tuple(proto.input), outputs, attributes, file.opset)
        try:
            _translate_node(node, proto, build)
        except EdgevidError:
            raise
        except Exception as error:  # a damaged file can raise anything, in numpy and in TensorFlow
            raise ModelError(
                expected=f"{node.op} {node.name!r} to fit its inputs",
                found=f"{reason_of(error)} in {file.path}",
                hint="Export the model again.",
                path=file.path,
            ) from error
    build.outputs = tuple(build.read(each.name) for each in file.model.graph.output if not build.is_constant(each.name))


def _numbers(array: Array, name: str, file: OnnxFile) -> Array:
    """Return a weight in float32; reject one that is NaN."""
    # Infinity is legal: masks of attention hold it.
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ModelError(
            expected="weights that are numbers",
            found=f"NaN in {name!r}: {file.path}",
            hint="Either training diverged or the file is damaged.",
            path=file.path,
        )
    return as_float(array)


def _translate_node(node: Node, proto: Any, build: Builder) -> None:
    if node.op == "Constant":
        build.constants[node.output(0)] = _constant(node)
    elif node.op == "Shape":
        shape = build.shape(node.input(0))
        part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
        build.constants[node.output(0)] = np.array(shape[part], np.int64)
    elif node.op in FOLDABLE and all(not name or build.is_constant(name) for name in node.inputs):
        arrays = [build.constants[name] if name else None for name in node.inputs]
        build.constants.update(
            {name: as_float(each) for name, each in zip(proto.output, fold(proto, arrays, node.opset), strict=True)}
        )
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
