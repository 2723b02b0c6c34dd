"""CNNs that are known to lose their answers in int8 after training, told from their layers before an hour is spent on it.

Sources: TensorFlow's blog of March 2020 on EfficientNet-Lite, which left out squeeze-and-excitation and replaced swish by ReLU6 because post-training
quantisation took EfficientNet from 75 to 46 % (https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html); A. Howard and
others, "Searching for MobileNetV3", 2019, whose reference implementation has a "minimalistic" variant without either, made for quantised use
(https://github.com/tensorflow/models/tree/master/research/slim/nets/mobilenet).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from convert.graph.layer_graph import LayerGraph

_SWISH = frozenset(("silu", "swish"))
_HARD_SWISH = frozenset(("hard_silu", "hard_swish"))
_POOLING = "GlobalAveragePooling2D"


def warnings(graph: LayerGraph) -> list[str]:
    """Name what is known to collapse.

    Args:
        graph: The model.

    Returns:
        A sentence for each kind of backbone that was found.
    """
    layers = list(_layers(call.layer for call in graph.calls))
    gated = _has_gates(layers)
    activations = {_activation(layer) for layer in layers}
    found = []
    if gated and activations & _SWISH:
        found.append("squeeze-and-excitation with swish, as in EfficientNet")
    if activations & _HARD_SWISH or _has_relu6_swish(layers):
        found.append("hard-swish, as in MobileNetV3")
    advice = "is known to lose much in int8 after training: look at the agreement, and take EfficientNet-Lite, MobileNetV2 or training that knows of int8 if it does"
    return [f"the model has {what}, which {advice}" for what in found]


def _layers(layers: Iterable[Any]) -> Iterator[Any]:
    """All layers, with those inside of wrappers and nested models."""
    for layer in layers:
        yield layer
        inner = getattr(layer, "layer", None)
        nested = [inner] if inner is not None else getattr(layer, "layers", ())
        yield from _layers(nested)


def _activation(layer: Any) -> str:
    own = getattr(layer, "activation", None)
    return str(getattr(own, "__name__", "")) if own is not None else ""


def _has_gates(layers: list[Any]) -> bool:
    """Squeeze and excitation: several global poolings, products, and sigmoids that gate channels."""
    kinds = [type(layer).__name__ for layer in layers]
    sigmoids = sum(_activation(layer) == "sigmoid" for layer in layers)
    return kinds.count(_POOLING) > 1 and "Multiply" in kinds and sigmoids > 1


def _has_relu6_swish(layers: list[Any]) -> bool:
    """Keras 2 builds hard-swish of x and relu6(x + 3) / 6. Names count on from the models that were built before, so they are no sign by themselves."""
    names = [str(getattr(layer, "name", "")) for layer in layers]
    relu6 = any(name.startswith("re_lu") or "relu6" in name for name in names)
    return (
        relu6
        and sum("tf.__operators__.add" in name for name in names) > 1
        and any(type(layer).__name__ == "Multiply" for layer in layers)
    )
