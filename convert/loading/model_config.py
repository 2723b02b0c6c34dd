"""Walks and changes the configuration in a model file before a framework reads it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any

# Policies and dtypes that compute in half precision.
_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
_MODELS = ("Sequential", "Functional", "Model")
# Classes of Keras 2 that are not in its `layers`: operators of functional models, and GPU layers
# that are repaired.
_OPERATORS = (
    *("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"),
    *("CuDNNLSTM", "CuDNNGRU"),
)


def depth(config: Any) -> int:
    """Return the levels of a configuration: 1 for a plain value, one more for each list or object."""
    level, levels = [config], 0
    while level:
        levels += 1
        level = [inner for value in level for inner in _inner(value)]
    return levels


def walk(config: Any) -> Iterator[Any]:
    """Yield every value in a configuration, the whole first."""
    # Without recursion, whose depth a file could exceed.
    left = [config]
    while left:
        value = left.pop()
        yield value
        left.extend(_inner(value))


def _inner(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def uses_half_precision(config: Any) -> bool:
    """Return whether any layer of a model computes in half precision."""
    return any(isinstance(each, str) and each in _HALF for each in walk(config))


def without_half(config: Any) -> Any:
    """Return a configuration with float32 for every half type.

    Half precision is for training on a GPU; the weights are stored in float32.
    """
    if isinstance(config, dict):
        return {key: without_half(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(without_half(value) for value in config)
    return "float32" if isinstance(config, str) and config in _HALF else config


def without_state(config: Any) -> Any:
    """Return a configuration of any batch size, without states that survive a call."""
    if isinstance(config, (list, tuple)):
        return type(config)(without_state(value) for value in config)
    if not isinstance(config, dict):
        return config
    changed = {key: without_state(value) for key, value in config.items()}
    if changed.get("stateful") is True:
        changed["stateful"] = False
    for key in ("batch_shape", "batch_input_shape"):
        if isinstance(changed.get(key), (list, tuple)) and changed[key]:
            changed[key] = type(changed[key])([None, *changed[key][1:]])
    return changed


def lacks_input_shape(config: Any) -> bool:
    """Return whether a model is a Sequential without an input shape, which cannot be built."""
    shapes = ("batch_input_shape", "batch_shape", "build_input_shape")
    return config.get("class_name") == "Sequential" and not any(
        isinstance(each, dict) and any(each.get(key) for key in shapes) for each in walk(config)
    )


def unknown_layers(config: Any, framework: Any) -> list[str]:
    """Return the class names of the layers that a framework does not have, sorted.

    Args:
        config: A model's configuration.
        framework: The module keras or tf_keras.
    """
    known = {*dir(framework.layers), *_MODELS, *_OPERATORS}
    return sorted(
        name
        for name, layer in _described_layers(config).items()
        # edgevid registers layers of its own.
        if not name.startswith("edgevid>") and (name.rpartition(">")[2] not in known or _is_namesake(layer, framework))
    )


def _described_layers(config: Any) -> dict[str, dict[str, Any]]:
    """Return one description for each class of layers in a configuration, by class name."""
    # The optimizer is described as layers are, and is not needed here.
    model = {key: value for key, value in config.items() if key != "compile_config"}
    layers: dict[str, dict[str, Any]] = {}
    for each in walk(model):
        if not isinstance(each, dict) or "class_name" not in each or not isinstance(each.get("config"), dict):
            continue
        name = str(each.get("registered_name") or each["class_name"])
        # A subclassed model may omit its name; everything else without a name is no layer.
        if (each is model or "name" in each["config"]) and _is_layer_name(name):
            layers[name] = each
    return layers


def _is_layer_name(name: str) -> bool:
    return name[:1].isalpha() and name not in ("DTypePolicy", "Policy") and not name.startswith("__")


def _is_namesake(layer: Mapping[str, Any], framework: Any) -> bool:
    """Return whether a custom layer has the name of a built-in one, such as Attention."""
    module, built_in = layer.get("module"), getattr(framework.layers, str(layer["class_name"]), None)
    if isinstance(module, str):
        return module.partition(".")[0] not in ("keras", "tf_keras", "tensorflow", "builtins")
    # Files before Keras 2.12 name no module. A built-in layer writes the arguments that it was made
    # with.
    if built_in is None:
        return False
    arguments = set(inspect.signature(built_in).parameters) - {"args", "kwargs", "name", "dtype", "trainable"}
    return len(arguments) > 1 and not arguments & set(layer["config"])


def holds_code(config: Any) -> bool:
    """Return whether a configuration contains a Lambda layer or a serialized function."""
    return any(isinstance(each, dict) and each.get("class_name") in ("Lambda", "__lambda__") for each in walk(config))


def replacement_names(config: Any) -> list[str]:
    """Return the sorted names of the functions that can replace Lambda layers."""
    layers = [
        each.get("config") for each in walk(config) if isinstance(each, dict) and each.get("class_name") == "Lambda"
    ]
    return sorted({function_name(str(each.get("name"))) for each in layers if isinstance(each, dict)})


def function_name(layer: str) -> str:
    """Return the name of the function that replaces a Lambda layer.

    It is the layer's own name if Python allows it. Keras 2 calls the first Lambda layer `lambda`,
    which is a keyword; its function is `lambda_`.
    """
    return f"{layer}_" if iskeyword(layer) else layer
