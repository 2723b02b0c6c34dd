"""EfficientNet-Lite0, layer by layer.

The Lite variants have neither squeeze-and-excitation nor swish, which int8 handles badly, and keep
the width of stem and head.

Sources: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019, table 1; `tensorflow/tpu`, models/official/efficientnet/lite, for what Lite changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgevid.errors import ModelError
from edgevid.frames import Array

FEATURES = 1280
_STEM_FILTERS = 32
_RELU_MAX = 6.0
_EPSILON = 1e-3
# The momentum of the original, which counts only if blocks are trained on.
_MOMENTUM = 0.99
_TENSORS_OF_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class _Stage:
    """A row of the paper's table: blocks of one kernel, stride and width."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
BLOCKS = sum(stage.repeats for stage in _STAGES)


def build(size: int) -> keras.Model:
    """Build the network without its classifier, with random weights.

    Args:
        size: Height and width of a frame in pixels.

    Returns:
        A model from (B, size, size, 3) RGB in [-1, 1] to (B, 1280) features.
    """
    frames = keras.Input((size, size, 3), name="frame")
    values = _conv(frames, _STEM_FILTERS, kernel=3, stride=2, name="stem")
    number = 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            values = _block(values, stage, stride=stage.stride if repeat == 0 else 1, name=f"block{number}")
            number += 1
    values = _conv(values, FEATURES, kernel=1, name="head")
    return keras.Model(frames, keras.layers.GlobalAveragePooling2D(name="pool")(values), name="efficientnet_lite0")


def _block(values: Any, stage: _Stage, *, stride: int, name: str) -> Any:
    """Apply an inverted residual: expand, filter each channel, project, add."""
    entered, width = values, values.shape[-1]
    if stage.expansion > 1:
        values = _conv(values, width * stage.expansion, kernel=1, name=f"{name}_expand")
    values = keras.layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(values)
    values = _relu(_norm(values, f"{name}_depthwise"), f"{name}_depthwise")
    values = _conv(values, stage.filters, kernel=1, name=f"{name}_project", is_linear=True)
    if stride > 1 or width != stage.filters:
        return values
    return keras.layers.Add(name=f"{name}_add")([values, entered])


def _conv(values: Any, filters: int, *, kernel: int, name: str, stride: int = 1, is_linear: bool = False) -> Any:
    convolution = keras.layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=name)
    values = _norm(convolution(values), name)
    return values if is_linear else _relu(values, name)


def _norm(values: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, name=f"{name}_norm")(values)


def _relu(values: Any, name: str) -> Any:
    return keras.layers.ReLU(_RELU_MAX, name=f"{name}_relu")(values)


def set_weights(model: keras.Model, tensors: Mapping[str, Array]) -> None:
    """Set the weights from a checkpoint of `lukemelas/EfficientNet-PyTorch` and its kin.

    Args:
        model: From `build`.
        tensors: By the checkpoint's names; those of the classifier are ignored.

    Raises:
        ModelError: A tensor is missing, or has another shape than its layer.
    """
    for layer, names in _names():
        wanted = model.get_layer(layer)
        try:
            wanted.set_weights([_as_keras(tensors[name], wanted) for name in names])
        except (KeyError, ValueError) as error:
            raise ModelError(
                expected=f"the weights of EfficientNet-Lite0's layer {layer}", found=str(error), path=names[0]
            ) from error


def _as_keras(tensor: Array, layer: keras.layers.Layer) -> Array:
    """Transpose a kernel (out, in, H, W) to Keras' order of axes."""
    if tensor.ndim != 4:
        return tensor
    # A kernel of a depthwise convolution is (channels, 1, H, W) there, and (H, W, channels, 1) here.
    axes = (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return np.transpose(tensor, axes)


def _names() -> Iterator[tuple[str, list[str]]]:
    """Yield each layer with weights and the checkpoint's names of them."""
    yield from _pair("stem", "_conv_stem", "_bn0")
    number = 0
    for stage in _STAGES:
        for _ in range(stage.repeats):
            prefix = f"_blocks.{number}."
            if stage.expansion > 1:
                yield from _pair(f"block{number}_expand", f"{prefix}_expand_conv", f"{prefix}_bn0")
            yield from _pair(f"block{number}_depthwise", f"{prefix}_depthwise_conv", f"{prefix}_bn1")
            yield from _pair(f"block{number}_project", f"{prefix}_project_conv", f"{prefix}_bn2")
            number += 1
    yield from _pair("head", "_conv_head", "_bn1")


def _pair(layer: str, convolution: str, norm: str) -> Iterator[tuple[str, list[str]]]:
    yield layer, [f"{convolution}.weight"]
    yield f"{layer}_norm", [f"{norm}.{tensor}" for tensor in _TENSORS_OF_NORM]
