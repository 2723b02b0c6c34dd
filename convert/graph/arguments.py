"""Arguments of a recorded layer call, bound again to other tensors.

Keras 3 and tf_keras record a call in different ways; each has its own reader here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from convert.frameworks import internals

Arguments = Callable[[Mapping[int, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
"""From tensors by number to a call's positional and keyword arguments."""


def positional(wanted: tuple[int, ...]) -> Arguments:
    """Return arguments that pass tensors by position and nothing else.

    Args:
        wanted: Numbers of the tensors, in order.
    """
    return lambda values: (tuple(values[each] for each in wanted), {})


def as_listed(model: Any, tensors: Sequence[Any]) -> Any:
    """Nest input tensors the way a model expects them.

    Args:
        model: A model of either framework.
        tensors: One tensor per input, in the model's order.

    Returns:
        A single tensor, a list, or the dictionary that the model was built with.
    """
    struct = internals.input_structure(model)
    if isinstance(struct, dict):
        import keras

        # Only Keras 3 insists on the dictionary; tf_keras also accepts a list.
        return keras.tree.pack_sequence_as(struct, list(tensors))
    return tensors[0] if len(tensors) == 1 else list(tensors)


def flat(value: Any) -> list[Any]:
    """Flatten nested lists and tuples.

    Returns:
        The items that are neither list nor tuple, in order; `[value]` for a single item.
    """
    return [item for each in value for item in flat(each)] if isinstance(value, (list, tuple)) else [value]


def keras3_sources(node: Any) -> list[Any]:
    """Return the tensors that a call of Keras 3 reads, except the masks that Keras propagates itself.

    Keras propagates such a mask again when the call is repeated.
    """
    propagated = _propagated_masks(node)
    return [tensor for tensor in node.input_tensors if id(tensor) not in propagated]


def _propagated_masks(node: Any) -> set[int]:
    """Return identities of the inputs that are the mask of another input."""
    masks = [mask for tensor in node.input_tensors if (mask := internals.symbolic_mask(tensor)) is not None]
    return {id(tensor) for tensor in node.input_tensors if any(_is_same_value(tensor, mask) for mask in masks)}


def _is_same_value(first: Any, second: Any) -> bool:
    if first is second:
        return True
    maker, other = internals.maker_of(first), internals.maker_of(second)
    if maker is None or other is None:
        return type(first) is type(second) and maker is None and bool(np.all(first == second))
    # A `.keras` file stores a mask as the operators that compute it. Loading builds a second, equal
    # mask next to the one that Keras propagates, so identity is not enough: compare the operators.
    return _is_same_output(maker, other) and _has_same_arguments(maker, other)


def _is_same_output(maker: Any, other: Any) -> bool:
    if maker.tensor_index != other.tensor_index:
        return False
    if maker.operation is other.operation:
        return True
    return type(maker.operation) is type(other.operation) and _settings(maker) == _settings(other)


def _settings(maker: Any) -> dict[str, Any]:
    return {key: value for key, value in maker.operation.get_config().items() if key != "name"}


def _has_same_arguments(maker: Any, other: Any) -> bool:
    first, second = map(internals.arguments_of, (maker, other))
    ours, theirs = flat([first.args, *first.kwargs.values()]), flat([second.args, *second.kwargs.values()])
    # An Input has no arguments: it equals only itself.
    return bool(ours) and len(ours) == len(theirs) and all(map(_is_same_value, ours, theirs))


def keras3_arguments(node: Any, sources: list[Any], numbers: Mapping[int, int]) -> Arguments:
    """Return the arguments of a call of Keras 3, for other tensors.

    Args:
        node: The recorded call.
        sources: The symbolic tensors that it reads, without propagated masks.
        numbers: Number of each symbolic tensor, by `id`.
    """
    propagated = _propagated_masks(node)

    def arguments(values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = node.arguments.fill_in({id(tensor): values[numbers[id(tensor)]] for tensor in sources})
        return tuple(args), {
            key: None if propagated & set(map(id, flat(each))) else each for key, each in kwargs.items()
        }

    return arguments


def keras2_arguments(node: Any, sources: list[Any], numbers: Mapping[int, int]) -> Arguments:
    """Return the arguments of a call of tf_keras, for other tensors.

    Args:
        node: The recorded call.
        sources: The symbolic tensors that it reads.
        numbers: Number of each symbolic tensor, by `id`.
    """

    def arguments(values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # map_arguments pops one value per use of a tensor; as many copies as there are sources suffice.
        args, kwargs = node.map_arguments(
            {str(id(tensor)): [values[numbers[id(tensor)]]] * len(sources) for tensor in sources}
        )
        return tuple(args), dict(kwargs)

    return arguments
