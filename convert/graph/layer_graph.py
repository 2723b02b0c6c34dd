"""One view of a Keras model for both frameworks: a list of layer calls on numbered tensors, nested models inlined.

A call can be repeated on other tensors. That is how the splitter runs one part of a model by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        outputs: Numbers of the tensors it produces.
        arguments: From tensors by number to the call's positional and keyword arguments.
        shape: Shape of its first output, with the batch; None for an axis that the model leaves open.
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
    """An auxiliary output of a model, next to its scores.

    Attributes:
        name: Name of the output.
        tensor: Number of its tensor.
        size: Length of its vector.
    """

    name: str
    tensor: int
    size: int


@dataclass(frozen=True)
class LayerGraph:
    """A model with one input as a list of calls.

    Attributes:
        calls: In topological order.
        input: Number of the model's input tensor.
        output: Number of the tensor with the scores.
        input_shape: Without the batch; None for an axis that the model leaves open.
        values: Auxiliary outputs.
        original: The graph before an exported function was inlined; None if nothing was inlined.
    """

    calls: tuple[Call, ...]
    input: int
    output: int
    input_shape: tuple[int | None, ...]
    values: tuple[Extra, ...] = ()
    original: LayerGraph | None = None

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of all output tensors: the scores, then the auxiliary outputs."""
        return (self.output, *(each.tensor for each in self.values))

    def consumers(self, tensor: int) -> list[Call]:
        """Return the calls that read a tensor, in order."""
        return [call for call in self.calls if tensor in call.inputs]

    def unused_numbers(self) -> Iterator[int]:
        """Return an endless iterator over numbers for new tensors, above all numbers in use."""
        return itertools.count(1 + max(number for call in self.calls for number in (*call.inputs, *call.outputs)))


@dataclass(frozen=True)
class ModelGraph:
    """A model with all of its inputs and outputs as a list of calls.

    Attributes:
        calls: In topological order.
        inputs, outputs: Numbers of the tensors, in the model's order.
        input_shapes, output_shapes: Without the batch; None for a size that the model leaves open.
        input_names, output_names: Names in the model.
        input_types: Dtypes such as "float32"; empty if unknown.
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
        """Return the same model without some of its inputs; calls get None in their place.

        Args:
            left_out: Numbers of optional input tensors, such as masks.
        """
        remaining = [place for place, number in enumerate(self.inputs) if number not in left_out]
        calls = tuple(_without(call, left_out) if left_out & set(call.inputs) else call for call in self.calls)
        fields = ("inputs", "input_shapes", "input_names", "input_types")
        return replace(
            self, calls=calls, **{name: tuple(getattr(self, name)[place] for place in remaining) for name in fields}
        )


def _without(call: Call, left_out: AbstractSet[int]) -> Call:
    nothing = dict.fromkeys(left_out)
    inputs = tuple(number for number in call.inputs if number not in left_out)
    return replace(call, inputs=inputs, arguments=lambda values: call.arguments({**values, **nothing}))


def read_model(model: Any) -> ModelGraph:
    """Read a Keras model into a list of calls.

    Args:
        model: A Sequential or functional model of Keras 3 or tf_keras, or an object with `as_graph`.

    Raises:
        ModelError: The model is subclassed or not built.
    """
    if hasattr(model, "as_graph"):
        return model.as_graph()
    _check_readable(model)
    reader = _Reader()
    starts = [reader.new() for _ in model.inputs]
    outputs = reader.inline(model, starts)
    return ModelGraph(
        calls=needed(reader.calls, outputs),
        inputs=tuple(starts),
        outputs=tuple(outputs),
        input_shapes=tuple(tuple(tensor.shape)[1:] for tensor in model.inputs),
        output_shapes=tuple(tuple(tensor.shape)[1:] for tensor in model.outputs),
        input_names=_names(model, "input"),
        output_names=_names(model, "output"),
        # A dtype is an object in tf_keras and a string in Keras 3.
        input_types=tuple(str(getattr(tensor.dtype, "name", tensor.dtype)) for tensor in model.inputs),
    )


def _check_readable(model: Any) -> None:
    if not is_nested(model):
        raise ModelError(
            expected="a Sequential or functional Keras model",
            found=f"{type(model).__name__}, whose layers cannot be separated",
            hint="Rebuild it with the functional API.",
        )
    if not getattr(model, "inputs", None) or not model.outputs:
        raise ModelError(
            expected="a model with a known input shape",
            found="an unbuilt one",
            hint="Set the input shape of its first layer and save it again.",
        )


def _names(model: Any, side: str) -> tuple[str, ...]:
    """Return the names of a model's inputs or outputs, or those of their tensors if the model has none."""
    tensors = getattr(model, f"{side}s")
    names = list(getattr(model, f"{side}_names", None) or [])
    if len(names) != len(tensors):
        names = [str(tensor.name) for tensor in tensors]
    # tf_keras appends the output's index to a tensor's name: "input_1:0".
    return tuple(name.partition(":")[0] for name in names)


def read_graph(model: Any) -> LayerGraph:
    """Read a Keras model with one input and one output into a list of calls.

    Args:
        model: As for `read_model`.

    Raises:
        ModelError: As for `read_model`, or the model has several inputs or outputs.
    """
    whole = read_model(model)
    if len(whole.inputs) != 1 or len(whole.outputs) != 1:
        raise ModelError(
            expected="a model with one input and one output", found=f"{len(whole.inputs)} and {len(whole.outputs)}"
        )
    return LayerGraph(whole.calls, whole.inputs[0], whole.outputs[0], whole.input_shapes[0])


def needed(calls: Sequence[Call], outputs: Iterable[int]) -> tuple[Call, ...]:
    """Drop the calls that no output depends on.

    Args:
        calls: In topological order.
        outputs: Numbers of the output tensors.

    Returns:
        The remaining calls, in the same order.
    """
    wanted, remaining = set(outputs), []
    for call in reversed(calls):
        if wanted & set(call.outputs):
            wanted |= set(call.inputs)
            remaining.append(call)
    return tuple(reversed(remaining))


def repeat(calls: Iterable[Call], values: Mapping[int, Any]) -> dict[int, Any]:
    """Repeat calls on other Keras tensors.

    Args:
        calls: In topological order.
        values: The tensors that they read and no one of them makes, by number.

    Returns:
        All tensors by number.
    """
    known = dict(values)
    for call in calls:
        args, kwargs = call.arguments(known)
        known.update(zip(call.outputs, flat(call.layer(*args, **kwargs)), strict=True))
    return known


def in_order(calls: Sequence[Call], start: int) -> list[Call] | None:
    """Sort calls topologically.

    Args:
        calls: In any order.
        start: Number of the input tensor.

    Returns:
        The calls, as close to their present order as possible; None if they form a cycle.
    """
    known, remaining, ordered = {start}, list(calls), list[Call]()
    while remaining:
        ready = next((call for call in remaining if known >= set(call.inputs)), None)
        if ready is None:
            return None
        remaining.remove(ready)
        ordered.append(ready)
        known |= set(ready.outputs)
    return ordered


def is_nested(layer: Any) -> bool:
    """Return whether a layer is a Sequential or functional model, whose layers can be inlined."""
    return internals.is_functional(layer) or type(layer).__name__ == "Sequential"


def _check_nested(model: Any, inputs: Sequence[int], arguments: Arguments) -> None:
    """Reject a mask that a model passes to a nested one, whose layers are inlined without it."""
    args, kwargs = arguments(dict.fromkeys(inputs, object()))
    # By position the mask follows the inputs and `training`.
    masks = flat(kwargs.get("mask", args[2] if len(args) > 2 else None))
    # A model of several inputs has a list with None for each input without a mask.
    if any(mask is not None for mask in masks):
        raise ModelError(
            expected="nested models without a mask of their own",
            found=f"a mask passed to {model.name!r}",
            hint="Pass it to the layer inside of that model, and save the model again.",
        )


class _Reader:
    """Collects the calls of a model and numbers its tensors."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._last = 0

    def new(self) -> int:
        """Return the number of a new tensor."""
        self._last += 1
        return self._last

    def inline(self, model: Any, inputs: list[int]) -> list[int]:
        """Add the calls of a model and return the numbers of its outputs."""
        if type(model).__name__ == "Sequential":
            for layer in model.layers:
                inputs = self._add(layer, inputs, positional(tuple(inputs)), None)
            return inputs
        numbers = {id(tensor): number for tensor, number in zip(model.inputs, inputs, strict=True)}
        for node in internals.nodes_of(model):
            if not node.is_input:
                self._add_node(node, numbers)
        return [numbers[id(tensor)] for tensor in model.outputs]

    def _add_node(self, node: Any, numbers: dict[int, int]) -> None:
        # Arguments are bound later: copy the numbers, which grow with every node.
        known = dict(numbers)
        if hasattr(node, "operation"):  # Keras 3
            layer, sources, results = node.operation, keras3_sources(node), list(node.outputs)
            arguments = keras3_arguments(node, sources, known)
        else:
            layer, sources, results = node.layer, list(node.keras_inputs), flat(node.outputs)
            arguments = keras2_arguments(node, sources, known)
        outputs = self._add(layer, [numbers[id(tensor)] for tensor in sources], arguments, results)
        numbers.update({id(tensor): number for tensor, number in zip(results, outputs, strict=True)})

    def _add(self, layer: Any, inputs: list[int], arguments: Arguments, outputs: list[Any] | None) -> list[int]:
        """Add one call and return the numbers of its outputs.

        Without `outputs` (in a Sequential model) they are those of the layer's first call.
        """
        if type(layer).__name__ == "InputLayer":
            return inputs
        if is_nested(layer):
            _check_nested(layer, inputs, arguments)
            return self.inline(layer, inputs)
        outputs = flat(internals.first_node(layer).outputs) if outputs is None else outputs
        results = [self.new() for _ in outputs]
        self.calls.append(Call(layer, tuple(inputs), tuple(results), arguments, tuple(outputs[0].shape)))
        return results
