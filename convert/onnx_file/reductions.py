"""Operators over whole axes: means, normalisations, softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.onnx_file.builder import Builder, Node, Order, as_float
from convert.onnx_file.elementwise import by_element


def _reduce(name: str) -> Callable[[Builder, Node], None]:
    """Return the translation of a reduction.

    Args:
        name: Name of TensorFlow's function.
    """

    def translate(build: Builder, node: Node) -> None:
        import tensorflow as tf

        rank = len(build.shape(node.input(0)))
        stated = build.array(node, 1, node.attributes.get("axes"))
        axes = range(rank) if stated is None else [int(axis) % rank for axis in np.ravel(stated)]
        if stated is None and node.attributes.get("noop_with_empty_axes", 0):
            axes = []
        _over(build, node, getattr(tf, name), list(axes), keeps=bool(node.attributes.get("keepdims", 1)))

    return translate


def _over(build: Builder, node: Node, function: Callable[..., Any], axes: list[int], *, keeps: bool) -> None:
    """Add a reduction over axes of the file."""
    source = node.input(0)
    order = build.order(source)
    places = sorted(order.index(axis) for axis in axes)
    in_frame = all(place > 1 for place in places) and len(order) - (0 if keeps else len(places)) > 2
    (made,) = build.apply(
        node,
        lambda tensor: function(tensor, axis=places, keepdims=keeps),
        [build.read(source, order)],
        lookback=0 if in_frame else None,
    )
    build.write(node.output(0), made, order if keeps else _left(order, axes))


def _left(order: Order, gone: list[int]) -> Order:
    """Return the order of the axes that a reduction leaves."""
    left = [axis for axis in order if axis not in gone]
    return tuple(sorted(left).index(axis) for axis in left)


def _global(name: str) -> Callable[[Builder, Node], None]:
    def translate(build: Builder, node: Node) -> None:
        import tensorflow as tf

        axes = list(range(2, len(build.shape(node.input(0)))))
        _over(build, node, getattr(tf, name), axes, keeps=True)

    return translate


def _softmax(build: Builder, node: Node) -> None:
    import tensorflow as tf

    source = node.input(0)
    rank, order = len(build.shape(source)), build.order(source)
    is_old = node.opset < 13
    axis = int(node.attributes.get("axis", 1 if is_old else -1)) % rank
    if is_old and axis != rank - 1:
        raise node.lacks("the last axis before opset 13", axis)
    place = order.index(axis)
    function = tf.nn.log_softmax if node.op == "LogSoftmax" else tf.nn.softmax
    (made,) = build.apply(
        node,
        lambda tensor: function(tensor, axis=place),
        [build.read(source, order)],
        lookback=0 if place > 1 and rank > 2 else None,
    )
    build.write(node.output(0), made, order)


def _batch_normalization(build: Builder, node: Node) -> None:
    if node.attributes.get("training_mode", 0):
        raise node.lacks("the mode of inference", "training_mode 1")
    scale, bias, mean, variance = (as_float(build.array(node, place)) for place in range(1, 5))
    if np.any(variance < 0):
        raise node.lacks("variances of 0 or more", float(variance.min()))
    factor = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    _scale(build, node, factor, bias - mean * factor)


def _scale(build: Builder, node: Node, factor: Any, shift: Any) -> None:
    """Multiply and shift each channel, which is axis 1 of the file."""
    shape = (1, -1, *(1,) * (len(build.shape(node.input(0))) - 2))
    names = [node.input(0)]
    for kind, array in (("factor", factor), ("shift", shift)):
        names.append(f"{node.output(0)}.{kind}")
        build.constants[names[-1]] = np.reshape(array, shape).astype(np.float32)
    by_element(build, node, lambda tensor, times, plus: tensor * times + plus, names)


def _layer_normalization(build: Builder, node: Node) -> None:
    import tensorflow as tf

    source = node.input(0)
    rank = len(build.shape(source))
    first = int(node.attributes.get("axis", -1)) % rank
    axes, epsilon = list(range(first, rank)), float(node.attributes.get("epsilon", 1e-5))
    scale = as_float(build.array(node, 1, np.float32(1)))
    bias = as_float(build.array(node, 2, np.float32(0)))

    def normalize(tensor: Any) -> Any:
        centred = tensor - tf.reduce_mean(tensor, axes, keepdims=True)
        variance = tf.reduce_mean(centred * centred, axes, keepdims=True)
        return centred * tf.math.rsqrt(variance + epsilon) * scale + bias

    (made,) = build.apply(node, normalize, [build.read(source)], lookback=0 if first > 1 and rank > 2 else None)
    build.write(node.output(0), made)


def _instance_normalization(build: Builder, node: Node) -> None:
    import tensorflow as tf

    source = node.input(0)
    order = build.order(source)
    places = [place for place, axis in enumerate(order) if axis > 1]
    shape = [-1 if axis == 1 else 1 for axis in order]
    scale, bias = (as_float(build.array(node, place)).reshape(shape) for place in (1, 2))
    epsilon = float(node.attributes.get("epsilon", 1e-5))

    def normalize(tensor: Any) -> Any:
        centred = tensor - tf.reduce_mean(tensor, places, keepdims=True)
        variance = tf.reduce_mean(centred * centred, places, keepdims=True)
        return centred * tf.math.rsqrt(variance + epsilon) * scale + bias

    (made,) = build.apply(node, normalize, [build.read(source, order)])
    build.write(node.output(0), made, order)


OPERATORS: dict[str, Callable[[Builder, Node], None]] = {
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceSum": _reduce("reduce_sum"),
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMin": _reduce("reduce_min"),
    "ReduceProd": _reduce("reduce_prod"),
    "GlobalAveragePool": _global("reduce_mean"),
    "GlobalMaxPool": _global("reduce_max"),
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "InstanceNormalization": _instance_normalization,
}
