"""A function's graph run node by node, its loops turn by turn: what an exported recurrent layer is without the loop that the converter dies of.

An export holds no layers. What it repeats is a While over TensorLists (a TensorArray, once written), which TensorFlow's converter refuses in a window of
unknown length and ends in, quantised. Everything that a loop counts by is known once the window's shape is: so nodes whose inputs are all known are computed
where they are met, the loop's condition among them, and the rest is traced anew, with Python's lists for TensorLists.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convert.frameworks import internals
from edgevid.errors import ModelError

# Turns of the longest loop that is unrolled: more than any window of video, and a loop that never ends is no window.
MOST_TURNS = 1024
LOOPS = frozenset(("While", "StatelessWhile"))
_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
_NOTHING = frozenset(("NoOp", "Assert"))

Value = Any
"""A tensor, or a Python list in the place of a TensorList."""


class Unrolled:
    """A function without loops.

    Args:
        function: A concrete function of TensorFlow's.

    Raises:
        ModelError: At a call, where a loop's turns depend on the numbers in a window.
    """

    def __init__(self, function: Any) -> None:
        frozen = internals.frozen(function, lower_control_flow=False)
        definition = frozen.graph.as_graph_def()
        self._inputs = [tensor.name for tensor in frozen.inputs]
        self._main = _Body(definition.node, [tensor.name for tensor in frozen.outputs])
        self._functions: dict[str, tuple[list[str], _Body]] = {}
        for each in definition.library.function:
            graph, names = internals.graph_of(each)
            wanted = [_tensor(names[each.ret[output.name]]) for output in each.signature.output_arg]
            self._functions[each.signature.name] = (
                [f"{given.name}:0" for given in each.signature.input_arg],
                _Body(graph.node, wanted),
            )

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Run the function.

        Args:
            inputs: In the order of its own, with static shapes.

        Returns:
            Its outputs, in order.
        """
        return self._main.run(dict(zip(self._inputs, inputs, strict=True)), self._make)

    def _make(self, node: Any, inputs: list[Value]) -> list[Value]:
        """What a node gives."""
        if node.op in LOOPS:
            return self._loop(node, inputs)
        if node.op in _CALLS:
            return self._call(node.attr["f"].func.name, inputs)
        return _LISTS[node.op](inputs) if node.op in _LISTS else _compute(node, inputs)

    def _call(self, name: str, inputs: list[Value]) -> list[Value]:
        wanted, body = self._functions[name]
        return body.run(dict(zip(wanted, inputs, strict=True)), self._make)

    def _loop(self, node: Any, state: list[Value]) -> list[Value]:
        for _ in range(MOST_TURNS):
            (goes_on,) = self._call(node.attr["cond"].func.name, state)
            if not _is_known(goes_on):
                raise ModelError(
                    expected="a loop of a known number of turns",
                    found=f"{node.name!r}, whose end depends on what a window shows",
                )
            if not bool(goes_on):
                return state
            state = self._call(node.attr["body"].func.name, state)
        raise ModelError(expected=f"a loop of at most {MOST_TURNS} turns", found=f"more in {node.name!r}")


class _Body:
    """Nodes in an order in which they can be made.

    Args:
        nodes: Of a graph definition.
        wanted: Names of the tensors that it gives.
    """

    def __init__(self, nodes: Sequence[Any], wanted: Sequence[str]) -> None:
        self._wanted = list(wanted)
        self._nodes = _in_order({node.name: node for node in nodes}, [_source(name)[0] for name in wanted])

    def run(self, given: Mapping[str, Value], make: Callable[[Any, list[Value]], list[Value]]) -> list[Value]:
        """Make every node.

        Args:
            given: What the placeholders are, by the names of their tensors.
            make: Makes one.

        Returns:
            What is wanted, in order.
        """
        values = dict(given)
        for node in self._nodes:
            if f"{node.name}:0" in given or node.op in _NOTHING:
                continue
            results = make(node, [values[_tensor(name)] for name in node.input if not name.startswith("^")])
            values.update({f"{node.name}:{place}": each for place, each in enumerate(results)})
        return [values[_tensor(name)] for name in self._wanted]


def _in_order(nodes: Mapping[str, Any], wanted: Sequence[str]) -> list[Any]:
    """The nodes that are needed, each behind those that it reads; without recursion, which a deep network exhausts."""
    ordered: dict[str, Any] = {}
    left = list(reversed(wanted))
    while left:
        name = left[-1]
        before = [
            each
            for given in nodes[name].input
            if not given.startswith("^") and (each := _source(given)[0]) not in ordered
        ]
        if name in ordered or not before:
            ordered.setdefault(left.pop(), nodes[name])
        else:
            left.extend(before)
    return list(ordered.values())


def _source(name: str) -> tuple[str, int]:
    node, _, place = name.partition(":")
    return node, int(place or 0)


def _tensor(name: str) -> str:
    node, place = _source(name)
    return f"{node}:{place}"


def _is_known(value: Value) -> bool:
    return hasattr(value, "numpy")


def _compute(node: Any, inputs: list[Value]) -> list[Value]:
    """Run an operator, at once where everything that it reads is known, else as part of what is being traced."""
    import tensorflow as tf

    if node.op == "Shape" and inputs[0].shape.is_fully_defined():
        with tf.init_scope():
            return [tf.constant(inputs[0].shape.as_list(), tf.as_dtype(node.attr["out_type"].type))]
    if all(map(_is_known, inputs)):
        with tf.init_scope():
            return run_node(node, inputs)
    return run_node(node, inputs)


def run_node(node: Any, inputs: Sequence[Value]) -> list[Value]:
    """Run an operator.

    Args:
        node: It, as TensorFlow describes it; none that calls a function.
        inputs: What it reads, in order.

    Returns:
        What it gives.
    """
    import tensorflow as tf

    if node.op == "Const":
        return [tf.constant(tf.make_ndarray(node.attr["value"].tensor))]
    operator, definition = getattr(tf.raw_ops, node.op), internals.operator_definition(node.op)
    names = _names(operator, definition)
    arguments = {
        names[each.name]: _attribute(node.attr[each.name])
        for each in definition.attr
        if each.name in names and each.name in node.attr
    }
    left = list(inputs)
    for argument in definition.input_arg:
        count = _count(node, argument)
        arguments[names[argument.name]] = left[:count] if count is not None else left[0]
        left = left[1 if count is None else count :]
    result = operator(**arguments)
    return list(result) if isinstance(result, (list, tuple)) else [result]


def _names(operator: Callable[..., Any], definition: Any) -> dict[str, str]:
    """Python's names of an operator's inputs and attributes: some have others there, as `axis` for `squeeze_dims`, in the same order."""
    inputs = [argument.name for argument in definition.input_arg]
    seen_by_inputs = {
        each
        for argument in definition.input_arg
        for each in (argument.type_attr, argument.number_attr, argument.type_list_attr)
    }
    told = [*inputs, *(each.name for each in definition.attr if each.name not in seen_by_inputs)]
    parameters = [name for name in inspect.signature(operator).parameters if name != "name"]
    ours, theirs = [name for name in told if name not in parameters], [name for name in parameters if name not in told]
    return {name: name for name in told if name in parameters} | dict(zip(ours, theirs, strict=True))


def _count(node: Any, argument: Any) -> int | None:
    """How many tensors an argument takes; None for one that is no list."""
    if argument.number_attr:
        return int(node.attr[argument.number_attr].i)
    return len(node.attr[argument.type_list_attr].list.type) if argument.type_list_attr else None


def _attribute(value: Any) -> Any:
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


def _reserved(inputs: list[Value]) -> list[Value]:
    return [[None] * int(inputs[1])]


def _unstacked(inputs: list[Value]) -> list[Value]:
    import tensorflow as tf

    return [tf.unstack(inputs[0], axis=0)]


def _item(inputs: list[Value]) -> list[Value]:
    return [inputs[0][int(inputs[1])]]


def _replaced(inputs: list[Value]) -> list[Value]:
    items, place, item = inputs
    return [[*items[: int(place)], item, *items[int(place) + 1 :]]]


def _stacked(inputs: list[Value]) -> list[Value]:
    import tensorflow as tf

    return [tf.stack(inputs[0])]


def _passed(inputs: list[Value]) -> list[Value]:
    return [inputs[0]]


# TensorLists, and what they are handed through.
_LISTS: dict[str, Callable[[list[Value]], list[Value]]] = {
    "TensorListReserve": _reserved,
    "TensorListFromTensor": _unstacked,
    "TensorListGetItem": _item,
    "TensorListSetItem": _replaced,
    "TensorListStack": _stacked,
    "Identity": _passed,
}
