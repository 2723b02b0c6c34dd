"""Unroll the loops of an exported function by interpreting its graph node by node.

An export has no layers: a recurrent layer is a `While` over TensorLists (a TensorArray in the source).
TensorFlow's converter rejects such a loop for a window of unknown length, and crashes on it when it quantises.
With a static window shape all loop counters are constants. So nodes with constant inputs, the loop condition
among them, are computed at once; all others are traced again, with Python lists in place of TensorLists.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convert.frameworks import internals
from edgevid.errors import ModelError

# Longest loop that is unrolled. No window of video has more frames, and this bounds a loop that never ends.
MOST_TURNS = 1024
LOOPS = frozenset(("While", "StatelessWhile"))
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
# Nodes without outputs that anything reads.
_IGNORED = frozenset(("NoOp", "Assert"))

Value = Any
"""A tensor, or a Python list in place of a TensorList."""


class Unrolled:
    """An exported function without loops.

    Args:
        function: A concrete function of TensorFlow.

    Raises:
        ModelError: On a call, if a loop's trip count depends on the input data.
    """

    def __init__(self, function: Any) -> None:
        # Lowered control flow would turn each While into Switch and Merge nodes, which have no body to call.
        frozen = internals.frozen(function, lower_control_flow=False)
        definition = frozen.graph.as_graph_def()
        self._inputs = [tensor.name for tensor in frozen.inputs]
        self._main = _Body(definition.node, [tensor.name for tensor in frozen.outputs])
        self._functions = {each.signature.name: _library_function(each) for each in definition.library.function}

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Run the function.

        Args:
            inputs: Tensors with static shapes, in the order of the function's own inputs.

        Returns:
            The function's outputs, in order.
        """
        return self._main.run(dict(zip(self._inputs, inputs, strict=True)), self._evaluate)

    def _evaluate(self, node: Any, inputs: list[Value]) -> list[Value]:
        if node.op in LOOPS:
            return self._run_loop(node, inputs)
        if node.op in _CALLS:
            return self._call(node.attr["f"].func.name, inputs)
        return _LISTS[node.op](inputs) if node.op in _LISTS else _compute(node, inputs)

    def _call(self, name: str, inputs: list[Value]) -> list[Value]:
        parameters, body = self._functions[name]
        return body.run(dict(zip(parameters, inputs, strict=True)), self._evaluate)

    def _run_loop(self, node: Any, state: list[Value]) -> list[Value]:
        for _ in range(MOST_TURNS):
            (goes_on,) = self._call(node.attr["cond"].func.name, state)
            if not _is_constant(goes_on):
                raise ModelError(
                    expected="a loop with a static trip count",
                    found=f"{node.name!r}, which depends on the input data",
                )
            if not bool(goes_on):
                return state
            state = self._call(node.attr["body"].func.name, state)
        raise ModelError(expected=f"a loop of at most {MOST_TURNS} iterations", found=f"more in {node.name!r}")


class _Body:
    """The nodes of a graph in topological order.

    Args:
        nodes: Nodes of a graph definition.
        wanted: Names of the output tensors.
    """

    def __init__(self, nodes: Sequence[Any], wanted: Sequence[str]) -> None:
        self._wanted = list(wanted)
        self._nodes = _in_order({node.name: node for node in nodes}, [_source(name)[0] for name in wanted])

    def run(self, inputs: Mapping[str, Value], evaluate: Callable[[Any, list[Value]], list[Value]]) -> list[Value]:
        """Evaluate every node.

        Args:
            inputs: Values of the placeholders, by tensor name.
            evaluate: From a node and its inputs to its outputs.

        Returns:
            The output tensors, in order.
        """
        values = dict(inputs)
        for node in self._nodes:
            if f"{node.name}:0" in inputs or node.op in _IGNORED:
                continue
            results = evaluate(node, [values[_tensor(name)] for name in node.input if not _is_control(name)])
            values.update({f"{node.name}:{index}": each for index, each in enumerate(results)})
        return [values[_tensor(name)] for name in self._wanted]


def _library_function(definition: Any) -> tuple[list[str], _Body]:
    """Return the names of a function's parameters, and its body."""
    graph, names = internals.graph_of(definition)
    outputs = [_tensor(names[definition.ret[output.name]]) for output in definition.signature.output_arg]
    return [f"{parameter.name}:0" for parameter in definition.signature.input_arg], _Body(graph.node, outputs)


def _in_order(nodes: Mapping[str, Any], wanted: Sequence[str]) -> list[Any]:
    """Sort the nodes that the outputs depend on, each after its inputs."""
    ordered: dict[str, Any] = {}
    # A stack of our own: recursion would exceed Python's limit on a deep network.
    pending = list(reversed(wanted))
    while pending:
        name = pending[-1]
        sources = (_source(source)[0] for source in nodes[name].input if not _is_control(source))
        missing = [source for source in sources if source not in ordered]
        if name in ordered or not missing:
            ordered.setdefault(pending.pop(), nodes[name])
        else:
            pending.extend(missing)
    return list(ordered.values())


def _is_control(name: str) -> bool:
    return name.startswith("^")


def _source(name: str) -> tuple[str, int]:
    """Split a tensor's name into its node and output index."""
    node, _, index = name.partition(":")
    return node, int(index or 0)


def _tensor(name: str) -> str:
    node, index = _source(name)
    return f"{node}:{index}"


def _is_constant(value: Value) -> bool:
    # Only eager tensors have numbers; a symbolic one has no `numpy`.
    return hasattr(value, "numpy")


def _compute(node: Any, inputs: list[Value]) -> list[Value]:
    """Run an operator: eagerly if all inputs are constants, otherwise in the graph being traced."""
    import tensorflow as tf

    if node.op == "Shape" and inputs[0].shape.is_fully_defined():
        # A static shape is a constant even of a symbolic tensor; loop counters derive from it.
        with tf.init_scope():
            return [tf.constant(inputs[0].shape.as_list(), tf.as_dtype(node.attr["out_type"].type))]
    if all(map(_is_constant, inputs)):
        with tf.init_scope():
            return run_node(node, inputs)
    return run_node(node, inputs)


def run_node(node: Any, inputs: Sequence[Value]) -> list[Value]:
    """Run an operator.

    Args:
        node: A NodeDef whose operator calls no function.
        inputs: Its input tensors, in order.

    Returns:
        Its output tensors, in order.
    """
    import tensorflow as tf

    if node.op == "Const":
        return [tf.constant(tf.make_ndarray(node.attr["value"].tensor))]
    operator, definition = getattr(tf.raw_ops, node.op), internals.operator_definition(node.op)
    names = _python_names(operator, definition)
    arguments = {
        names[each.name]: _attribute(node.attr[each.name])
        for each in definition.attr
        if each.name in names and each.name in node.attr
    }
    remaining = list(inputs)
    for argument in definition.input_arg:
        count = _list_length(node, argument)
        arguments[names[argument.name]] = remaining[:count] if count is not None else remaining[0]
        remaining = remaining[1 if count is None else count :]
    result = operator(**arguments)
    return list(result) if isinstance(result, (list, tuple)) else [result]


def _python_names(operator: Callable[..., Any], definition: Any) -> dict[str, str]:
    """Map an operator's inputs and attributes to the parameters of its Python function.

    Some have another name there (`axis` for `squeeze_dims`); these are matched by order.
    """
    inputs = [argument.name for argument in definition.input_arg]
    # Python infers these attributes from the inputs.
    inferred = {
        each
        for argument in definition.input_arg
        for each in (argument.type_attr, argument.number_attr, argument.type_list_attr)
    }
    defined = [*inputs, *(each.name for each in definition.attr if each.name not in inferred)]
    parameters = [name for name in inspect.signature(operator).parameters if name != "name"]
    renamed = [name for name in defined if name not in parameters]
    replacements = [name for name in parameters if name not in defined]
    return {name: name for name in defined if name in parameters} | dict(zip(renamed, replacements, strict=True))


def _list_length(node: Any, argument: Any) -> int | None:
    """Return how many tensors a list argument takes; None for a single tensor."""
    if argument.number_attr:
        return int(node.attr[argument.number_attr].i)
    return len(node.attr[argument.type_list_attr].list.type) if argument.type_list_attr else None


def _attribute(value: Any) -> Any:
    """Convert an AttrValue to what the Python function of an operator takes."""
    import tensorflow as tf

    kind = value.WhichOneof("value")
    if kind == "list":
        filled = [field for field, each in value.list.ListFields() if each]
        return [_single(filled[0].name, each) for each in getattr(value.list, filled[0].name)] if filled else []
    return tf.make_ndarray(value.tensor) if kind == "tensor" else _single(kind, getattr(value, kind))


def _single(kind: str, value: Any) -> Any:
    import tensorflow as tf

    kinds: dict[str, Callable[[Any], Any]] = {"s": bytes.decode, "type": tf.as_dtype, "shape": tf.TensorShape}
    return kinds[kind](value) if kind in kinds else value


def _reserve(inputs: list[Value]) -> list[Value]:
    return [[None] * int(inputs[1])]


def _unstack(inputs: list[Value]) -> list[Value]:
    import tensorflow as tf

    return [tf.unstack(inputs[0], axis=0)]


def _get_item(inputs: list[Value]) -> list[Value]:
    return [inputs[0][int(inputs[1])]]


def _set_item(inputs: list[Value]) -> list[Value]:
    items, index, item = inputs
    return [[*items[: int(index)], item, *items[int(index) + 1 :]]]


def _stack(inputs: list[Value]) -> list[Value]:
    import tensorflow as tf

    return [tf.stack(inputs[0])]


def _pass_on(inputs: list[Value]) -> list[Value]:
    return [inputs[0]]


# Operators on TensorLists; Identity because it passes them on.
_LISTS: dict[str, Callable[[list[Value]], list[Value]]] = {
    "TensorListReserve": _reserve,
    "TensorListFromTensor": _unstack,
    "TensorListGetItem": _get_item,
    "TensorListSetItem": _set_item,
    "TensorListStack": _stack,
    "Identity": _pass_on,
}
