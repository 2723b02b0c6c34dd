"""Compute what no input changes: shapes, sliced weights, initial states of zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.onnx_file.read import import_onnx
from edgevid.errors import ModelError
from edgevid.frames import Array

# Numbers of one tensor: a gigabyte in float32.
MOST_NUMBERS = 2**28
# Operators whose result can be much larger than their inputs.
_GROWING = frozenset("ConstantOfShape Expand Tile Range Pad Add Sub Mul Div Pow Where MatMul Equal Gather".split())
FOLDABLE = _GROWING | frozenset(
    "Cast Concat Slice Squeeze Unsqueeze Reshape Flatten Transpose Identity Split ReduceProd ReduceSum "
    "ReduceMax ReduceMin ReduceMean Neg Abs Sqrt Reciprocal Exp Log Floor Ceil Min Max Mod Less Greater "
    "LessOrEqual GreaterOrEqual And Or Not Trilu Size".split()
)


def fold(node: Any, arrays: Sequence[Array | None], opset: int) -> list[Array]:
    """Run one operator on constants.

    Args:
        node: A node whose operator is in `FOLDABLE`.
        arrays: Its inputs; None for one that is left out.
        opset: Version of the operators.

    Raises:
        ModelError: The result would be larger than any model needs.
    """
    onnx = import_onnx()
    given = {name: array for name, array in zip(node.input, arrays, strict=True) if array is not None}
    graph = onnx.helper.make_graph(
        [node],
        "constants",
        [],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in given.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    if sum(array.size for array in given.values()) > MOST_NUMBERS:
        raise too_large(node.name or node.op_type)
    if node.op_type in _GROWING:
        _check_growth(onnx.shape_inference.infer_shapes(model, data_prop=True), node)
    from onnx.reference import ReferenceEvaluator

    return [np.asarray(each) for each in ReferenceEvaluator(model).run(None, {})]


def _check_growth(inferred: Any, node: Any) -> None:
    for output in inferred.graph.output:
        dims = output.type.tensor_type.shape.dim
        if math.prod(max(int(each.dim_value), 1) for each in dims) > MOST_NUMBERS:
            raise too_large(node.name or node.op_type)


def too_large(name: str) -> ModelError:
    """Return the error that a tensor has more numbers than any model needs.

    Args:
        name: Name of the operator that would produce it.
    """
    return ModelError(
        expected=f"tensors of at most {MOST_NUMBERS} numbers",
        found=f"more from {name!r}",
        hint="Export the model for one window.",
    )
