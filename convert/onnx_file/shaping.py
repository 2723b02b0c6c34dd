"""Operators that move, cut and join axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convert.onnx_file.builder import Builder, Node, Order, as_float
from edgevid.frames import Array


def _transpose(build: Builder, node: Node) -> None:
    source = node.input(0)
    shape = build.shape(source)
    turn = tuple(node.attributes.get("perm", reversed(range(len(shape)))))
    # Nothing moves: the same stored tensor, whose axes have other places in the file.
    build.alias(
        node.output(0), source, lambda order: tuple(turn.index(axis) for axis in order), [shape[axis] for axis in turn]
    )


def _identity(build: Builder, node: Node) -> None:
    source = node.input(0)
    build.alias(node.output(0), source, lambda order: order, build.shape(source))


def _reshape(build: Builder, node: Node) -> None:
    shape = build.shape(node.input(0))
    target = [int(size) for size in build.array(node, 1)]
    if not node.attributes.get("allowzero", 0):
        target = [shape[axis] if size == 0 else size for axis, size in enumerate(target)]
    if -1 in target:
        target[target.index(-1)] = math.prod(shape) // max(math.prod(size for size in target if size != -1), 1)
    reshape_to(build, node, target)


def _flatten(build: Builder, node: Node) -> None:
    shape = build.shape(node.input(0))
    axis = int(node.attributes.get("axis", 1)) % (len(shape) + 1)
    reshape_to(build, node, [math.prod(shape[:axis]), math.prod(shape[axis:])])


def _squeeze(build: Builder, node: Node) -> None:
    shape = build.shape(node.input(0))
    axes = _axes(build, node, 1, len(shape))
    axes = [axis for axis, size in enumerate(shape) if size == 1] if axes is None else axes
    left = [axis for axis in range(len(shape)) if axis not in axes]
    # With its own axes known, no size is mistaken for another.
    order = tuple(left.index(axis) for axis in build.order(node.input(0)) if axis in left)
    reshape_to(build, node, [shape[axis] for axis in left], kept=order)


def _unsqueeze(build: Builder, node: Node) -> None:
    shape = list(build.shape(node.input(0)))
    given = _axes(build, node, 1, None) or []
    for axis in sorted(axis % (len(shape) + len(given)) for axis in given):
        shape.insert(axis, 1)
    reshape_to(build, node, shape)


def _axes(build: Builder, node: Node, place: int, rank: int | None) -> list[int] | None:
    """Return the axes of a node, which older versions state as an attribute."""
    axes = build.array(node, place, node.attributes.get("axes"))
    if axes is None:
        return None
    return [int(axis) if rank is None else int(axis) % rank for axis in np.ravel(axes)]


def reshape_to(build: Builder, node: Node, target: Sequence[int], *, kept: Order | None = None) -> None:
    """Reshape the first input of a node to a shape, in the stored order where the numbers' order permits.

    Args:
        build: Receives the reshape.
        node: Any node.
        target: The new shape, in the file's order.
        kept: The stored order of the result, if it is known that the numbers' order permits it.
    """
    source, target = node.input(0), list(target)
    shape, order = build.shape(source), build.order(source)
    kept = _kept_order(shape, target, order) if kept is None else kept
    kept = _order_without_ones(shape, target, order) if kept is None else kept
    if kept is None and _is_ordered(shape, order):
        kept = tuple(range(len(target)))
    if kept is None:
        order, kept = tuple(range(len(shape))), tuple(range(len(target)))
    number = build.read(source, order)
    stored, wanted = build.stored_shape(number), [target[axis] for axis in kept]
    lookback = 0 if len(wanted) > 2 and len(stored) > 2 and list(stored[:2]) == wanted[:2] else None
    (made,) = build.apply(node, _reshaper(stored, wanted), [number], lookback=lookback)
    build.write(node.output(0), made, kept)


def _reshaper(stored: Sequence[int], wanted: Sequence[int]) -> Callable[[Any], Any]:
    """Return a reshape that accepts any number of frames where the first axes stay."""
    import tensorflow as tf

    same = 0
    while same < min(len(stored), len(wanted)) and stored[same] == wanted[same]:
        same += 1
    return lambda tensor: tf.reshape(tensor, (*tensor.shape[:same], *wanted[same:]))


def _is_ordered(shape: Sequence[int], order: Order) -> bool:
    """Return whether axes of more than one number are stored in the file's order."""
    axes = [axis for axis in order if shape[axis] != 1]
    return axes == sorted(axes)


def _kept_order(shape: Sequence[int], target: Sequence[int], order: Order) -> Order | None:
    """Return the order after a reshape that regroups only the first or only the last axes; None for others."""
    same = _common(shape, target)
    if sorted(order[:same]) == list(range(same)) and list(order[same:]) == list(range(same, len(order))):
        return (*order[:same], *range(same, len(target)))
    last = _common(shape[::-1], target[::-1])
    before, after = len(shape) - last, len(target) - last
    if list(order[:before]) == list(range(before)):
        return (*range(after), *(axis - before + after for axis in order[before:]))
    return None


def _order_without_ones(shape: Sequence[int], target: Sequence[int], order: Order) -> Order | None:
    """Return the order after a reshape that only drops axes of 1; None for others, or if the batch is among them."""
    dropped, left = list[int](), len(target) - 1
    # From the end: the batch is more often before an axis that comes or goes.
    for axis in reversed(range(len(shape))):
        if left >= 0 and shape[axis] == target[left]:
            left -= 1
        elif shape[axis] == 1:
            dropped.append(axis)
        else:
            return None
    remaining = [axis for axis in range(len(shape)) if axis not in dropped]
    if left >= 0 or order[0] in dropped:
        return None
    return tuple(remaining.index(axis) for axis in order if axis in remaining)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return count


def _concat(build: Builder, node: Node) -> None:
    import tensorflow as tf

    rank = len(build.shape(node.input(0)))
    first = next(name for name in node.inputs if not build.is_constant(name))
    order = build.order(first)
    axis = order.index(int(node.attributes["axis"]) % rank)
    inputs: list[int | Array] = [
        as_float(build.constants[name]).transpose(order) if build.is_constant(name) else build.read(name, order)
        for name in node.inputs
    ]
    lookback = 0 if axis > 1 and all(isinstance(each, int) for each in inputs) else None
    (made,) = build.apply(node, lambda *each: tf.concat(each, axis=axis), inputs, lookback=lookback)
    build.write(node.output(0), made, order)


def _split(build: Builder, node: Node) -> None:
    import tensorflow as tf

    source = node.input(0)
    shape, order = build.shape(source), build.order(source)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    sizes = build.array(node, 1, node.attributes.get("split"))
    if sizes is None:
        count = len(node.outputs)
        piece = -(-shape[axis] // count)
        sizes = [min(piece, shape[axis] - piece * place) for place in range(count)]
    pieces, place = [int(size) for size in sizes], order.index(axis)
    numbers = build.apply(
        node,
        lambda tensor: tf.split(tensor, pieces, axis=place),
        [build.read(source, order)],
        lookback=0 if place > 1 else None,
    )
    for name, number in zip(node.outputs, numbers, strict=True):
        build.write(name, number, order)


def _slice(build: Builder, node: Node) -> None:
    source = node.input(0)
    shape, order = build.shape(source), build.order(source)
    starts = np.ravel(build.array(node, 1, node.attributes.get("starts")))
    ends = np.ravel(build.array(node, 2, node.attributes.get("ends")))
    axes = _axes(build, node, 3, len(shape)) or list(range(len(starts)))
    steps = np.ravel(build.array(node, 4, np.ones(len(starts), np.int64)))
    cuts = [slice(None)] * len(shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cuts[axis] = _cut(int(start), int(end), int(step), shape[axis])
    key = [cuts[axis] for axis in order]
    is_whole = [each == slice(None) for each in key]
    is_newest = len(key) > 2 and all(is_whole[:1] + is_whole[2:]) and key[1] == _newest(shape[order[1]])
    if is_newest:
        # So in a window of any length.
        key[1] = slice(-1, None)
    (made,) = build.apply(
        node,
        lambda tensor: tensor[tuple(key)],
        [build.read(source, order)],
        lookback=0 if len(key) > 2 and all(is_whole[:2]) else None,
        newest_only=is_newest,
    )
    build.write(node.output(0), made, order)


def _cut(start: int, end: int, step: int, size: int) -> slice:
    """Return a slice; a whole axis is `slice(None)`, whatever its length."""
    begin, finish, stride = slice(start, end, step).indices(size)
    if (begin, finish, stride) == (0, size, 1):
        return slice(None)
    return slice(begin, None if finish < 0 else finish, stride)


def _newest(frames: int) -> slice:
    return slice(frames - 1, frames, 1)


def _gather(build: Builder, node: Node) -> None:
    source = node.input(0)
    if build.is_constant(source):
        raise node.lacks("a constant place", "a table that is read at computed places")
    shape, order = build.shape(source), build.order(source)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    places = np.asarray(build.array(node, 1)).astype(int)
    places = np.where(places < 0, places + shape[axis], places)
    if places.ndim > 1 or places.min(initial=0) < 0 or places.max(initial=0) >= shape[axis]:
        raise node.lacks("places along one axis", places.tolist())
    _take(build, node, order.index(axis), places)


def _take(build: Builder, node: Node, axis: int, places: Array) -> None:
    """Add a call that takes one place or several along a stored axis."""
    import tensorflow as tf

    source = node.input(0)
    order, number = build.order(source), build.read(node.input(0), build.order(source))
    stored = build.stored_shape(number)
    if places.ndim:
        listed = places.tolist()
        (made,) = build.apply(
            node, lambda tensor: tf.gather(tensor, listed, axis=axis), [number], lookback=0 if axis > 1 else None
        )
        build.write(node.output(0), made, order)
        return
    place = int(places)
    is_newest = axis == 1 and place == stored[1] - 1 and len(stored) > 2
    # The newest frame is so in a window of any length.
    key = (*[slice(None)] * axis, -1 if is_newest else place)
    (made,) = build.apply(
        node, lambda tensor: tensor[key], [number], lookback=0 if axis > 1 else None, newest_only=is_newest
    )
    gone = order[axis]
    build.write(node.output(0), made, tuple(each - (each > gone) for each in order if each != gone))


def _expand(build: Builder, node: Node) -> None:
    import tensorflow as tf

    shape = build.shape(node.input(0))
    target = np.broadcast_shapes(shape, tuple(int(size) for size in build.array(node, 1)))
    if target == shape:
        _identity(build, node)
        return
    (made,) = build.apply(node, lambda tensor: tf.broadcast_to(tensor, target), [build.read(node.input(0))])
    build.write(node.output(0), made)


def _tile(build: Builder, node: Node) -> None:
    import tensorflow as tf

    counts = [int(count) for count in build.array(node, 1)]
    (made,) = build.apply(node, lambda tensor: tf.tile(tensor, counts), [build.read(node.input(0))])
    build.write(node.output(0), made)


def _pad(build: Builder, node: Node) -> None:
    import tensorflow as tf

    mode = bytes(node.attributes.get("mode", b"constant")).decode()
    if mode not in ("constant", "reflect"):
        raise node.lacks("padding by a constant or a reflection", mode)
    source = node.input(0)
    shape, order = build.shape(source), build.order(source)
    pads = [int(size) for size in np.ravel(build.array(node, 1, node.attributes.get("pads")))]
    axes = _axes(build, node, 3, len(shape)) or list(range(len(shape)))
    if min(pads) < 0:
        raise node.lacks("padding of 0 or more", pads)
    amounts = {axis: (pads[place], pads[place + len(axes)]) for place, axis in enumerate(axes)}
    value = float(np.ravel(build.array(node, 2, node.attributes.get("value", 0.0)))[0])
    paddings = [amounts.get(axis, (0, 0)) for axis in order]
    (made,) = build.apply(
        node,
        lambda tensor: tf.pad(tensor, paddings, mode=mode.upper(), constant_values=value),
        [build.read(source, order)],
    )
    build.write(node.output(0), made, order)


OPERATORS: dict[str, Callable[[Builder, Node], None]] = {
    "Transpose": _transpose,
    "Identity": _identity,
    "Dropout": _identity,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
}
