"""One view of a Keras model for both frameworks: a list of layer calls on numbered tensors, nested models laid flat.

A call can be made again on other tensors, which is how the splitter runs one part of a model by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevid.errors import ModelError

Arguments = Callable[[Mapping[int, Any]], tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one layer.

    Attributes:
        layer: The Keras layer or operation.
        inputs: Numbers of the tensors it reads.
        outputs: Numbers of the tensors it gives.
        arguments: From tensors by number to the call's positional and keyword arguments.
        shape: Of its first output, with the batch; None where the model leaves it open.
    """

    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arguments: Arguments
    shape: tuple[int | None, ...]

    @property
    def name(self) -> str:
        """The layer's name in the model."""
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """The layer's class name."""
        return type(self.layer).__name__


@dataclass(frozen=True)
class LayerGraph:
    """A model as a list of calls.

    Attributes:
        calls: In an order in which they can be made.
        input: Number of the model's input tensor.
        output: Number of its output tensor.
        input_shape: Without the batch; None where the model leaves it open.
    """

    calls: tuple[Call, ...]
    input: int
    output: int
    input_shape: tuple[int | None, ...]

    def consumers(self, tensor: int) -> list[Call]:
        """Give the calls that read a tensor.

        Args:
            tensor: Its number.

        Returns:
            Calls in order.
        """
        return [call for call in self.calls if tensor in call.inputs]


@dataclass(frozen=True)
class ModelGraph:
    """A model with all of its inputs and outputs as a list of calls.

    Attributes:
        calls: In an order in which they can be made.
        inputs, outputs: Numbers of the tensors, in the model's order.
        input_shapes, output_shapes: Without the batch; None where the model leaves a size open.
        input_names, output_names: As the model has them.
    """

    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


def read_model(model: Any) -> ModelGraph:
    """Lay a Keras model out as calls.

    Args:
        model: A Sequential or functional model of Keras 3 or tf_keras, or anything that can lay itself out (`as_graph`).

    Returns:
        The graph.

    Raises:
        ModelError: A subclassed model or an unbuilt one.
    """
    if hasattr(model, "as_graph"):
        return model.as_graph()
    if not is_nested(model):
        raise ModelError(
            f"Expected a Sequential or functional Keras model, got {type(model).__name__}: its layers cannot be told apart. Rebuild it with the functional API."
        )
    if not getattr(model, "inputs", None) or not model.outputs:
        raise ModelError("Expected a model with a known input shape, got an unbuilt one. Give its first layer an input shape and save it again.")
    reader = _Reader()
    starts = [reader.new() for _ in model.inputs]
    outputs = reader.inline(model, starts)
    names = [name.partition(":")[0] for name in (*_names(model, "input"), *_names(model, "output"))]
    return ModelGraph(
        needed(reader.calls, outputs),
        tuple(starts),
        tuple(outputs),
        tuple(tuple(tensor.shape)[1:] for tensor in model.inputs),
        tuple(tuple(tensor.shape)[1:] for tensor in model.outputs),
        tuple(names[: len(starts)]),
        tuple(names[len(starts) :]),
    )


def _names(model: Any, side: str) -> list[str]:
    """Names of a model's inputs or outputs: those of the layers that give them."""
    tensors = getattr(model, f"{side}s")
    given = list(getattr(model, f"{side}_names", None) or [])
    return given if len(given) == len(tensors) else [str(tensor.name) for tensor in tensors]


def read_graph(model: Any) -> LayerGraph:
    """Lay a Keras model of one input and one output out as calls.

    Args:
        model: As for `read_model`.

    Returns:
        The graph.

    Raises:
        ModelError: As `read_model`, or the model has several inputs or outputs.
    """
    whole = read_model(model)
    if len(whole.inputs) != 1 or len(whole.outputs) != 1:
        raise ModelError(f"Expected a model with one input and one output, got {len(whole.inputs)} and {len(whole.outputs)}.")
    return LayerGraph(whole.calls, whole.inputs[0], whole.outputs[0], whole.input_shapes[0])


def needed(calls: Sequence[Call], outputs: Iterable[int]) -> tuple[Call, ...]:
    """Leave out calls that nothing asked for depends on.

    Args:
        calls: In order.
        outputs: Numbers of the tensors that are asked for.

    Returns:
        The others, in order.
    """
    wanted, kept = set(outputs), []
    for call in reversed(calls):
        if wanted & set(call.outputs):
            wanted |= set(call.inputs)
            kept.append(call)
    return tuple(reversed(kept))


def is_nested(layer: Any) -> bool:
    """Tell whether a layer is a model, whose layers can be laid flat.

    Args:
        layer: Any Keras layer.

    Returns:
        Whether it is a Sequential or functional model.
    """
    return hasattr(layer, "_nodes_by_depth") or type(layer).__name__ == "Sequential"


class _Reader:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._next = 0

    def new(self) -> int:
        self._next += 1
        return self._next

    def inline(self, model: Any, inputs: list[int]) -> list[int]:
        """Add a model's calls; give the numbers of its outputs."""
        if type(model).__name__ == "Sequential":
            for layer in model.layers:
                inputs = self._add(layer, inputs, _positional(tuple(inputs)), None)
            return inputs
        number = {id(tensor): given for tensor, given in zip(model.inputs, inputs, strict=True)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    self._add_node(node, number)
        return [number[id(tensor)] for tensor in model.outputs]

    def _add_node(self, node: Any, number: dict[int, int]) -> None:
        layer = getattr(node, "operation", None) or node.layer
        sources = _keras3_sources(node) if hasattr(node, "operation") else list(node.keras_inputs)
        results = list(node.outputs) if hasattr(node, "operation") else flat(node.outputs)
        known = dict(number)
        arguments = _keras3_arguments(node, sources, known) if hasattr(node, "operation") else _keras2_arguments(node, sources, known)
        given = self._add(layer, [number[id(tensor)] for tensor in sources], arguments, results)
        number.update({id(tensor): each for tensor, each in zip(results, given, strict=True)})

    def _add(self, layer: Any, inputs: list[int], arguments: Arguments, outputs: list[Any] | None) -> list[int]:
        """Add one call; its outputs are those of the layer's first call where they are not given."""
        if type(layer).__name__ == "InputLayer":
            return inputs
        if is_nested(layer):
            return self.inline(layer, inputs)
        outputs = flat(layer._inbound_nodes[0].outputs) if outputs is None else outputs
        results = [self.new() for _ in outputs]
        self.calls.append(Call(layer, tuple(inputs), tuple(results), arguments, tuple(outputs[0].shape)))
        return results


def _positional(wanted: tuple[int, ...]) -> Arguments:
    return lambda values: (tuple(values[each] for each in wanted), {})


def flat(value: Any) -> list[Any]:
    """Lay nested lists flat.

    Args:
        value: Anything.

    Returns:
        What is no list or tuple, in order.
    """
    return [item for each in value for item in flat(each)] if isinstance(value, (list, tuple)) else [value]


def _keras3_sources(node: Any) -> list[Any]:
    """The tensors that a call reads, without the masks that Keras passes on by itself: it does so again when the call is made again."""
    passed_on = _passed_on(node)
    return [tensor for tensor in node.input_tensors if id(tensor) not in passed_on]


def _passed_on(node: Any) -> set[int]:
    masks = [getattr(tensor, "_keras_mask", None) for tensor in node.input_tensors]
    return {id(mask) for mask in masks if mask is not None}


def _keras3_arguments(node: Any, sources: list[Any], number: dict[int, int]) -> Arguments:
    passed_on = _passed_on(node)

    def arguments(values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = node.arguments.fill_in({id(tensor): values[number[id(tensor)]] for tensor in sources})
        return tuple(args), {key: None if passed_on & set(map(id, flat(each))) else each for key, each in kwargs.items()}

    return arguments


def _keras2_arguments(node: Any, sources: list[Any], number: dict[int, int]) -> Arguments:
    def arguments(values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # map_arguments takes one value off the list for each use of a tensor.
        args, kwargs = node.map_arguments({str(id(tensor)): [values[number[id(tensor)]]] * len(sources) for tensor in sources})
        return tuple(args), dict(kwargs)

    return arguments
