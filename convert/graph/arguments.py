"""What a call in a model is given besides the tensors that it reads, as each framework keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from convert.frameworks import internals

Arguments = Callable[[Mapping[int, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
"""From tensors by number to a call's positional and keyword arguments."""


def positional(wanted: tuple[int, ...]) -> Arguments:
    """Give tensors as they are, one behind the other.

    Args:
        wanted: Their numbers.

    Returns:
        The arguments of a call.
    """
    return lambda values: (tuple(values[each] for each in wanted), {})


def as_listed(model: Any, tensors: Sequence[Any]) -> Any:
    """Give a model its inputs as it wants them: one by itself, several as a list, or in the dictionary that it was built with.

    Args:
        model: Of either framework.
        tensors: In the order in which the model lists its inputs.

    Returns:
        What to call the model with.
    """
    struct = internals.input_structure(model)
    if isinstance(struct, dict):
        import keras

        # tf_keras takes a list for a dictionary, Keras 3 does not.
        return keras.tree.pack_sequence_as(struct, list(tensors))
    return tensors[0] if len(tensors) == 1 else list(tensors)


def flat(value: Any) -> list[Any]:
    """Lay nested lists flat.

    Args:
        value: Anything.

    Returns:
        What is no list or tuple, in order.
    """
    return [item for each in value for item in flat(each)] if isinstance(value, (list, tuple)) else [value]


def keras3_sources(node: Any) -> list[Any]:
    """The tensors that a call reads, without the masks that Keras passes on by itself: it does so again when the call is made again.

    Args:
        node: A call of Keras 3.

    Returns:
        The tensors.
    """
    passed_on = _passed_on(node)
    return [tensor for tensor in node.input_tensors if id(tensor) not in passed_on]


def _passed_on(node: Any) -> set[int]:
    masks = [mask for tensor in node.input_tensors if (mask := internals.symbolic_mask(tensor)) is not None]
    return {id(tensor) for tensor in node.input_tensors if any(_same(tensor, mask) for mask in masks)}


def _same(first: Any, second: Any) -> bool:
    """Whether two arguments are one value: a file of Keras 3 writes a mask out as the operators that made it, and reading it makes a second mask beside it."""
    made, other = internals.maker_of(first), internals.maker_of(second)
    if first is second or made is None or other is None:
        return first is second or (type(first) is type(second) and made is None and bool(np.all(first == second)))
    if made.tensor_index != other.tensor_index:
        return False
    if made.operation is not other.operation and (
        type(made.operation) is not type(other.operation) or _settings(made) != _settings(other)
    ):
        return False
    given, others = map(internals.arguments_of, (made, other))
    ours, theirs = flat([given.args, *given.kwargs.values()]), flat([others.args, *others.kwargs.values()])
    # An input is made of nothing: only itself is the same.
    return bool(ours) and len(ours) == len(theirs) and all(map(_same, ours, theirs))


def _settings(history: Any) -> dict[str, Any]:
    return {key: value for key, value in history.operation.get_config().items() if key != "name"}


def keras3_arguments(node: Any, sources: list[Any], number: dict[int, int]) -> Arguments:
    """Give what a call of Keras 3 is given, of other tensors.

    Args:
        node: The call.
        sources: The tensors that it reads.
        number: Of each tensor, by its identity.

    Returns:
        The arguments of a call.
    """
    passed_on = _passed_on(node)

    def arguments(values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = node.arguments.fill_in({id(tensor): values[number[id(tensor)]] for tensor in sources})
        return tuple(args), {
            key: None if passed_on & set(map(id, flat(each))) else each for key, each in kwargs.items()
        }

    return arguments


def keras2_arguments(node: Any, sources: list[Any], number: dict[int, int]) -> Arguments:
    """Give what a call of tf_keras is given, of other tensors.

    Args:
        node: The call.
        sources: The tensors that it reads.
        number: Of each tensor, by its identity.

    Returns:
        The arguments of a call.
    """

    def arguments(values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # map_arguments takes one value off the list for each use of a tensor.
        args, kwargs = node.map_arguments(
            {str(id(tensor)): [values[number[id(tensor)]]] * len(sources) for tensor in sources}
        )
        return tuple(args), dict(kwargs)

    return arguments
