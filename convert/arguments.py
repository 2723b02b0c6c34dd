"""What a call in a model is given besides the tensors that it reads, as each framework keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
    masks = [getattr(tensor, "_keras_mask", None) for tensor in node.input_tensors]
    return {id(mask) for mask in masks if mask is not None}


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
        return tuple(args), {key: None if passed_on & set(map(id, flat(each))) else each for key, each in kwargs.items()}

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
        args, kwargs = node.map_arguments({str(id(tensor)): [values[number[id(tensor)]]] * len(sources) for tensor in sources})
        return tuple(args), dict(kwargs)

    return arguments
