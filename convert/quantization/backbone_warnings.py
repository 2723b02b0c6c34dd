"""Warnings about CNNs that are known to lose accuracy in int8 after training, from their layers alone.

Sources:
    TensorFlow's blog on EfficientNet-Lite, March 2020. It left out squeeze-and-excitation and replaced
    swish by ReLU6, because post-training quantisation took EfficientNet from 75 to 46 %.
    https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html

    A. Howard and others, "Searching for MobileNetV3", 2019. Its reference implementation has a
    "minimalistic" variant without either, made for quantised use.
    https://github.com/tensorflow/models/tree/master/research/slim/nets/mobilenet
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from convert.graph.layer_graph import LayerGraph

_SWISH = frozenset(("silu", "swish"))
_HARD_SWISH = frozenset(("hard_silu", "hard_swish"))
_POOLING = "GlobalAveragePooling2D"
_ADVICE = (
    "known to lose much accuracy in int8 after training: if the agreement is low, use EfficientNet-Lite, MobileNetV2 "
    "or quantisation-aware training"
)


def warnings(graph: LayerGraph) -> list[str]:
    """Return a sentence for each structure in a model that is known to lose accuracy in int8."""
    layers = list(_layers(call.layer for call in graph.calls))
    activations = {_activation(layer) for layer in layers}
    structures = []
    if _has_gates(layers) and activations & _SWISH:
        structures.append("squeeze-and-excitation with swish, as in EfficientNet")
    if activations & _HARD_SWISH or _has_relu6_swish(layers):
        structures.append("hard-swish, as in MobileNetV3")
    return [f"the model has {structure}, which is {_ADVICE}" for structure in structures]


def _layers(layers: Iterable[Any]) -> Iterator[Any]:
    """Yield all layers, including those inside wrappers and nested models."""
    for layer in layers:
        yield layer
        inner = getattr(layer, "layer", None)
        nested = [inner] if inner is not None else getattr(layer, "layers", ())
        yield from _layers(nested)


def _activation(layer: Any) -> str:
    own = getattr(layer, "activation", None)
    return str(getattr(own, "__name__", "")) if own is not None else ""


def _has_gates(layers: list[Any]) -> bool:
    # Squeeze-and-excitation: several global poolings, each followed by a sigmoid that multiplies the channels.
    kinds = [type(layer).__name__ for layer in layers]
    sigmoids = sum(_activation(layer) == "sigmoid" for layer in layers)
    return kinds.count(_POOLING) > 1 and "Multiply" in kinds and sigmoids > 1


def _has_relu6_swish(layers: list[Any]) -> bool:
    # Keras 2 builds hard-swish as x * relu6(x + 3) / 6, from an addition, a ReLU6 and a product. All three are
    # required: generated names count on from models that were built before, so one alone proves nothing.
    names = [str(getattr(layer, "name", "")) for layer in layers]
    relu6 = any(name.startswith("re_lu") or "relu6" in name for name in names)
    additions = sum("tf.__operators__.add" in name for name in names)
    return relu6 and additions > 1 and any(type(layer).__name__ == "Multiply" for layer in layers)
