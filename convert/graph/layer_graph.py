"""One view of a Keras model for both frameworks: a list of layer calls on numbered tensors, nested models laid flat.

A call can be made again on other tensors, which is how the splitter runs one part of a model by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from convert.frameworks import internals
from convert.graph.arguments import Arguments, flat, keras2_arguments, keras3_arguments, keras3_sources, positional
from edgevid.errors import ModelError


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
class Extra:
    """What a model gives beside its scores.

    Attributes:
        name: The output's.
        tensor: Its number.
        size: How many numbers it is.
    """

    name: str
    tensor: int
    size: int


@dataclass(frozen=True)
class LayerGraph:
    """A model as a list of calls.

    Attributes:
        calls: In an order in which they can be made.
        input: Number of the model's input tensor.
        output: Number of its output tensor.
        input_shape: Without the batch; None where the model leaves it open.
        values: What is given beside the output.
    """

    calls: tuple[Call, ...]
    input: int
    output: int
    input_shape: tuple[int | None, ...]
    values: tuple[Extra, ...] = ()

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of all tensors that are given: the output, then the values."""
        return (self.output, *(each.tensor for each in self.values))

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
        input_types: Such as "float32"; empty where they are not known.
    """

    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    input_types: tuple[str, ...] = ()

    def without_inputs(self, left_out: AbstractSet[int]) -> ModelGraph:
        """Give the same model with nothing where it is given some of its inputs.

        Args:
            left_out: Numbers of tensors that calls can do without, as a mask.

        Returns:
            The model, as if it had the other inputs only.
        """
        kept = [place for place, number in enumerate(self.inputs) if number not in left_out]
        calls = tuple(_without(call, left_out) if left_out & set(call.inputs) else call for call in self.calls)
        fields = ("inputs", "input_shapes", "input_names", "input_types")
        return replace(
            self, calls=calls, **{name: tuple(getattr(self, name)[place] for place in kept) for name in fields}
        )


def _without(call: Call, left_out: AbstractSet[int]) -> Call:
    nothing = dict.fromkeys(left_out)
    inputs = tuple(number for number in call.inputs if number not in left_out)
    return replace(call, inputs=inputs, arguments=lambda values: call.arguments({**values, **nothing}))


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
            expected="a Sequential or functional Keras model",
            found=f"{type(model).__name__}: its layers cannot be told apart",
            hint="Rebuild it with the functional API.",
        )
    if not getattr(model, "inputs", None) or not model.outputs:
        raise ModelError(
            expected="a model with a known input shape",
            found="an unbuilt one",
            hint="Give its first layer an input shape and save it again.",
        )
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
        tuple(str(getattr(tensor.dtype, "name", tensor.dtype)) for tensor in model.inputs),
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
        raise ModelError(
            expected="a model with one input and one output", found=f"{len(whole.inputs)} and {len(whole.outputs)}"
        )
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
    return internals.is_functional(layer) or type(layer).__name__ == "Sequential"


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
                inputs = self._add(layer, inputs, positional(tuple(inputs)), None)
            return inputs
        number = {id(tensor): given for tensor, given in zip(model.inputs, inputs, strict=True)}
        for node in internals.nodes_of(model):
            if not node.is_input:
                self._add_node(node, number)
        return [number[id(tensor)] for tensor in model.outputs]

    def _add_node(self, node: Any, number: dict[int, int]) -> None:
        layer = getattr(node, "operation", None) or node.layer
        sources = keras3_sources(node) if hasattr(node, "operation") else list(node.keras_inputs)
        results = list(node.outputs) if hasattr(node, "operation") else flat(node.outputs)
        known = dict(number)
        arguments = (
            keras3_arguments(node, sources, known)
            if hasattr(node, "operation")
            else keras2_arguments(node, sources, known)
        )
        given = self._add(layer, [number[id(tensor)] for tensor in sources], arguments, results)
        number.update({id(tensor): each for tensor, each in zip(results, given, strict=True)})

    def _add(self, layer: Any, inputs: list[int], arguments: Arguments, outputs: list[Any] | None) -> list[int]:
        """Add one call; its outputs are those of the layer's first call where they are not given."""
        if type(layer).__name__ == "InputLayer":
            return inputs
        if is_nested(layer):
            return self.inline(layer, inputs)
        outputs = flat(internals.first_node(layer).outputs) if outputs is None else outputs
        results = [self.new() for _ in outputs]
        self.calls.append(Call(layer, tuple(inputs), tuple(results), arguments, tuple(outputs[0].shape)))
        return results
