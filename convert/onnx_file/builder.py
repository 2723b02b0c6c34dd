"""Collects calls of layers while the operators of a `.onnx` file are translated.

A tensor of the file is stored in one or several orders of its axes. A transposition is only a note about the
order, until an operator needs another one: so pictures stay channels-last, and sequences batch-first, however the
file turns them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convert.graph.arguments import positional
from convert.graph.layer_graph import Call
from convert.onnx_file.folding import MOST_NUMBERS, too_large
from edgevid.errors import ModelError
from edgevid.frames import Array

Order = tuple[int, ...]


class OnnxOperator:
    """An operator without a Keras layer, as a layer.

    Args:
        name: Name of the node.
        function: From tensors to a tensor, or a list of them.
        lookback: 0 if it treats each frame by itself; None if the splitter should find out on noise.
        newest_only: Whether it takes the newest frame out of a window.
    """

    trainable_weights: tuple[Any, ...] = ()

    def __init__(
        self, name: str, function: Callable[..., Any], *, lookback: int | None = None, newest_only: bool = False
    ) -> None:
        self.name, self.lookback, self.newest_only = name, lookback, newest_only
        self._function = function

    def __call__(self, *tensors: Any) -> Any:
        """Run the operator."""
        return self._function(*tensors)


@dataclass(frozen=True)
class Node:
    """One operator of the file.

    Attributes:
        op: Its operator, such as "Conv".
        name: Its name, fit for a layer.
        inputs, outputs: Names of its tensors; "" for one that is left out.
        attributes: By name.
        opset: Version of the operators.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int

    def input(self, place: int) -> str:
        """Return the name of an input; "" if it is left out."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def output(self, place: int) -> str:
        """Return the name of an output; "" if it is left out."""
        return self.outputs[place] if place < len(self.outputs) else ""

    def lacks(self, what: str, found: object) -> ModelError:
        """Return the error that a form of the operator has no counterpart.

        Args:
            what: What would be legal.
            found: What there is.
        """
        return ModelError(
            expected=f"{what} in {self.op} {self.name!r}",
            got=found,
            found=str(found),
            hint="Export the model without it, or give its trained model as .keras or SavedModel.",
        )


@dataclass
class _Tensor:
    """A tensor of the file.

    Attributes:
        shape: In the order of the file.
        numbers: Numbers of the stored tensors, by the order of their axes.
    """

    shape: tuple[int, ...]
    numbers: dict[Order, int] = field(default_factory=dict)


class Builder:
    """Collects calls.

    Attributes:
        calls: In topological order.
        constants: Arrays by name.
        layers: The Keras layers among the calls.
        outputs: Numbers of the model's outputs, once all operators are translated.
    """

    def __init__(self) -> None:
        self.outputs: tuple[int, ...] = ()
        self.calls: list[Call] = []
        self.constants: dict[str, Array] = {}
        self.layers: list[Any] = []
        self._tensors: dict[str, _Tensor] = {}
        self._values: dict[int, Any] = {}
        self._names: dict[str, int] = {}
        self._kept = 0

    def is_constant(self, name: str) -> bool:
        """Return whether a tensor of the file is a constant."""
        return name in self.constants

    def is_tensor(self, name: str) -> bool:
        """Return whether a tensor of the file is computed from the input."""
        return name in self._tensors

    def keep(self, computed: Mapping[str, Array]) -> None:
        """Add constants that were computed.

        Args:
            computed: By name.

        Raises:
            ModelError: They are more numbers, all together, than any model needs.
        """
        for name, array in computed.items():
            self._kept += array.size
            if self._kept > MOST_NUMBERS:
                raise too_large(name)
            self.constants[name] = as_float(array)

    def array(self, node: Node, place: int, default: Any = None) -> Any:
        """Return a constant input of a node.

        Args:
            node: The node.
            place: Place of the input.
            default: Returned if the input is left out.

        Raises:
            ModelError: The input is computed.
        """
        name = node.input(place)
        if not name:
            return default
        if name not in self.constants:
            raise node.lacks(f"a constant for input {place}", f"a computed one, {name!r}")
        return self.constants[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor or constant, in the order of the file."""
        return self.constants[name].shape if name in self.constants else self._tensors[name].shape

    def order(self, name: str) -> Order:
        """Return the first order in which a tensor is stored."""
        return next(iter(self._tensors[name].numbers))

    def read(self, name: str, order: Order | None = None) -> int:
        """Return the number of a tensor whose axes have an order; turn it if needed.

        Args:
            name: A tensor of the file.
            order: For each stored axis, the axis in the file; None for the file's order.
        """
        tensor = self._tensors[name]
        order = tuple(range(len(tensor.shape))) if order is None else order
        if order not in tensor.numbers:
            have, number = next(iter(tensor.numbers.items()))
            tensor.numbers[order] = self.call(transposition(tuple(have.index(axis) for axis in order)), number)
        return tensor.numbers[order]

    def apply(
        self,
        node: Node,
        function: Callable[..., Any],
        inputs: Sequence[int | Array],
        *,
        lookback: int | None = None,
        newest_only: bool = False,
    ) -> list[int]:
        """Add a call of an operator without a Keras layer; return the numbers of its outputs.

        Args:
            node: The operator.
            function: From one argument for each input to a tensor, or a list of them.
            inputs: Numbers of tensors, and arrays for constants.
            lookback, newest_only: As for `OnnxOperator`.
        """
        numbers = [each for each in inputs if isinstance(each, int)]

        def run(*tensors: Any) -> Any:
            left = iter(tensors)
            return function(*(next(left) if isinstance(each, int) else each for each in inputs))

        layer = OnnxOperator(self.unique(node.name), run, lookback=lookback, newest_only=newest_only)
        return self.calls_of(layer, *numbers)

    def call(self, layer: Any, *numbers: int) -> int:
        """Add a call with one output.

        Args:
            layer: The layer.
            numbers: Numbers of its inputs.

        Returns:
            Number of its output.
        """
        return self.calls_of(layer, *numbers)[0]

    def calls_of(self, layer: Any, *numbers: int) -> list[int]:
        """Add a call with any number of outputs; return their numbers."""
        results = layer(*(self._values[number] for number in numbers))
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        if any(math.prod(map(int, each.shape)) > MOST_NUMBERS for each in results):
            raise too_large(layer.name)
        made = [self._new(each) for each in results]
        self.calls.append(
            Call(layer, tuple(numbers), tuple(made), positional(tuple(numbers)), (None, *results[0].shape[1:]))
        )
        if not isinstance(layer, OnnxOperator):
            self.layers.append(layer)
        return made

    def stored_shape(self, number: int) -> tuple[int, ...]:
        """Return the shape of a stored tensor."""
        return tuple(int(each) for each in self._values[number].shape)

    def write(self, name: str, number: int, order: Order | None = None) -> None:
        """Bind a tensor of the file to a stored tensor.

        Args:
            name: The tensor; "" for an output that nothing reads.
            number: Number of the stored tensor.
            order: Its order; None for the file's.
        """
        stored = self.stored_shape(number)
        order = tuple(range(len(stored))) if order is None else order
        shape = tuple(stored[order.index(axis)] for axis in range(len(order)))
        self._tensors[name] = _Tensor(shape, {order: number})

    def alias(self, name: str, source: str, orders: Callable[[Order], Order], shape: Sequence[int]) -> None:
        """Bind a tensor to another one whose axes have other places.

        Args:
            name: The new tensor.
            source: The present one.
            orders: From an order of the present one to that of the new one.
            shape: Shape of the new one.
        """
        numbers = {orders(order): number for order, number in self._tensors[source].numbers.items()}
        self._tensors[name] = _Tensor(tuple(shape), numbers)

    def start(self, name: str, value: Any, order: Order) -> int:
        """Bind the input of the model; return its number.

        Args:
            name: Name of the input.
            value: A symbolic tensor.
            order: The order in which the device delivers its axes.
        """
        number = self._new(value)
        self.write(name, number, order)
        return number

    def unique(self, name: str) -> str:
        """Return a name for a layer that no other has."""
        base = re.sub(r"[^A-Za-z0-9_.]", "_", name).strip("_.") or "operator"
        count = self._names[base] = self._names.get(base, 0) + 1
        return base if count == 1 else self.unique(f"{base}_{count}")

    def _new(self, value: Any) -> int:
        number = len(self._values) + 1
        self._values[number] = value
        return number


def transposition(turn: Order) -> OnnxOperator:
    """Return a layer that turns axes.

    Args:
        turn: For each new axis, the present one.
    """
    import tensorflow as tf

    lookback = 0 if turn[:2] == (0, 1) else None
    return OnnxOperator("transpose", lambda tensor: tf.transpose(tensor, turn), lookback=lookback)


def as_float(array: Array) -> Array:
    """Return an array in float32 if it holds floats of another width."""
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array
