"""Convolutions and poolings, channels last on the device whatever they are in the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.onnx_file.builder import Builder, Node, Order, as_float
from convert.onnx_file.products import built
from edgevid.frames import Array

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Window:
    """The sizes of a sliding window, one entry for each axis it slides along.

    Attributes:
        size, strides, dilations: In places.
        pads: Places before and after.
        is_same: Whether TensorFlow's "same" pads as much.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads
    is_same: bool

    @property
    def is_padded(self) -> bool:
        """Whether there is any padding."""
        return any(before or after for before, after in self.pads)


def _window(node: Node, size: Sequence[int], sizes: Sequence[int]) -> _Window:
    """Read the attributes of a convolution or pooling.

    Args:
        node: The node.
        size: Size of the window.
        sizes: Sizes of the axes that it slides along.
    """
    count, given = len(size), node.attributes
    strides = tuple(given.get("strides", (1,) * count))
    dilations = tuple(given.get("dilations", (1,) * count))
    span = [(extent - 1) * dilation + 1 for extent, dilation in zip(size, dilations, strict=True)]
    missing = [
        max((math.ceil(length / stride) - 1) * stride + reach - length, 0)
        for length, stride, reach in zip(sizes, strides, span, strict=True)
    ]
    same = tuple((each // 2, each - each // 2) for each in missing)
    mode = bytes(given.get("auto_pad", b"NOTSET")).decode()
    stated = tuple(given.get("pads", (0,) * 2 * count))
    pads = tuple(zip(stated[:count], stated[count:], strict=True))
    if mode == "SAME_UPPER":
        pads = same
    elif mode == "SAME_LOWER":
        pads = tuple((after, before) for before, after in same)
    if given.get("ceil_mode", 0):
        pads = tuple(
            (before, after + _ceiling(length + before + after, reach, stride))
            for (before, after), length, reach, stride in zip(pads, sizes, span, strides, strict=True)
        )
    return _Window(tuple(size), strides, dilations, pads, pads == same)


def _ceiling(length: int, span: int, stride: int) -> int:
    """Return how many places are missing for the window that `ceil_mode` adds."""
    return -(length - span) % stride


def _channels_last(rank: int) -> Order:
    return (0, *range(2, rank), 1)


def _conv(build: Builder, node: Node) -> None:
    weights = as_float(build.array(node, 1))
    bias = build.array(node, 2)
    rank, groups = weights.ndim, int(node.attributes.get("group", 1))
    shape = build.shape(node.input(0))
    window = _window(node, weights.shape[2:], shape[2:])
    order = _channels_last(rank)
    number = build.read(node.input(0), order)
    if window.is_padded and not window.is_same:
        number = _pad(build, node, number, window.pads)
    kernel = weights.transpose((*range(2, rank), 1, 0))
    stored = np.zeros(weights.shape[0], np.float32) if bias is None else as_float(bias)
    if rank == 3 and groups > 1:
        build.write(node.output(0), _in_plane(build, node, number, (kernel, stored), window, groups=groups), order)
        return
    layer = _layer(build, node, window, rank=rank, channels=shape[1], groups=groups, filters=weights.shape[0])
    if groups == shape[1] and rank == 4 and groups > 1:
        kernel = _depthwise(kernel, groups)
    build.write(node.output(0), _run(build, layer, number, [kernel, stored]), order)


def _run(build: Builder, layer: Any, number: int, weights: list[Array]) -> int:
    return build.call(built(layer, (None, *build.stored_shape(number)[1:]), weights), number)


def _in_plane(
    build: Builder, node: Node, number: int, weights: tuple[Array, Array], window: _Window, *, groups: int
) -> int:
    """Run a grouped convolution along one axis as one over pictures of one row, which the device has."""
    import tensorflow as tf

    kernel, bias = weights
    flat = _Window(
        (1, *window.size), (1, *window.strides), (1, *window.dilations), ((0, 0), *window.pads), window.is_same
    )
    channels = build.stored_shape(number)[-1]
    if groups == channels and len(set(flat.strides)) == 1:
        kernel = _depthwise(kernel[None], groups)
    else:
        kernel, groups = _in_one_group(kernel[None], groups), 1
    (lifted,) = build.apply(node, lambda tensor: tf.expand_dims(tensor, 1), [number])
    layer = _layer(build, node, flat, rank=4, channels=channels, groups=groups, filters=len(bias))
    result = _run(build, layer, lifted, [kernel, bias])
    (lowered,) = build.apply(node, lambda tensor: tf.squeeze(tensor, 1), [result])
    return lowered


def _depthwise(kernel: Array, channels: int) -> Array:
    """Turn a kernel (..., 1, filters) to Keras's of a depthwise convolution (..., channels, multiplier)."""
    return kernel.reshape((*kernel.shape[:-2], channels, kernel.shape[-1] // channels))


def _in_one_group(kernel: Array, groups: int) -> Array:
    """Return the kernel of an equal convolution with one group: zero for channels of other groups."""
    inside, filters = kernel.shape[-2:]
    whole = np.zeros((*kernel.shape[:-2], inside * groups, filters), np.float32)
    share = filters // groups
    for group in range(groups):
        rows, columns = slice(group * inside, (group + 1) * inside), slice(group * share, (group + 1) * share)
        whole[..., rows, columns] = kernel[..., columns]
    return whole


def _layer(build: Builder, node: Node, window: _Window, *, rank: int, channels: int, groups: int, filters: int) -> Any:
    """Return the Keras layer of a convolution, without weights."""
    import keras

    options = {
        "strides": window.strides,
        "padding": "same" if window.is_padded and window.is_same else "valid",
        "dilation_rate": window.dilations,
        "name": build.unique(node.name),
    }
    if rank == 4 and groups == channels and groups > 1:
        if len(set(window.strides)) > 1:
            raise node.lacks("equal strides", window.strides)
        return keras.layers.DepthwiseConv2D(window.size, depth_multiplier=filters // channels, **options)
    kinds = {3: keras.layers.Conv1D, 4: keras.layers.Conv2D, 5: keras.layers.Conv3D}
    if rank not in kinds:
        raise node.lacks("one to three axes", rank - 2)
    return kinds[rank](filters, window.size, groups=groups, **options)


def _pad(build: Builder, node: Node, number: int, pads: Pads, *, mode: str = "CONSTANT") -> int:
    """Pad the axes between the batch and the channels."""
    import tensorflow as tf

    paddings = [(0, 0), *pads, (0, 0)]
    (made,) = build.apply(node, lambda tensor: tf.pad(tensor, paddings, mode=mode), [number])
    return made


def _max_pool(build: Builder, node: Node) -> None:
    if node.output(1):
        raise node.lacks("one output", "the places of the maxima")
    # The largest of the numbers that the window holds anyway: repeated ones change no maximum.
    _pool(build, node, "MAX", "SYMMETRIC")


def _average_pool(build: Builder, node: Node) -> None:
    _pool(build, node, "AVG", "CONSTANT")


def _pool(build: Builder, node: Node, kind: str, mode: str) -> None:
    shape = build.shape(node.input(0))
    window, order = _window(node, tuple(node.attributes["kernel_shape"]), shape[2:]), _channels_last(len(shape))
    if any(each != 1 for each in window.dilations):
        raise node.lacks("no dilations", window.dilations)
    number = build.read(node.input(0), order)
    # TensorFlow leaves padding out of an average.
    counts_padding = kind == "AVG" and bool(node.attributes.get("count_include_pad", 0))
    if window.is_padded and (counts_padding or not window.is_same):
        if kind == "AVG" and not counts_padding:
            raise node.lacks("padding that counts, or as much as SAME_UPPER has", window.pads)
        number, window = _pad(build, node, number, window.pads, mode=mode), _without_pads(window)
    build.write(node.output(0), _pooled(build, node, number, kind, window), order)


def _without_pads(window: _Window) -> _Window:
    return _Window(window.size, window.strides, window.dilations, ((0, 0),) * len(window.size), False)


def _pooled(build: Builder, node: Node, number: int, kind: str, window: _Window) -> int:
    import keras
    import tensorflow as tf

    padding = "SAME" if window.is_padded else "VALID"
    if len(window.size) == 3:
        volumes = {"MAX": keras.layers.MaxPooling3D, "AVG": keras.layers.AveragePooling3D}
        layer = volumes[kind](window.size, window.strides, padding.lower(), name=build.unique(node.name))
        return build.call(layer, number)

    def pool(tensor: Any) -> Any:
        return tf.nn.pool(tensor, window.size, kind, window.strides, padding)

    (made,) = build.apply(node, pool, [number])
    return made


OPERATORS: dict[str, Callable[[Builder, Node], None]] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
}
