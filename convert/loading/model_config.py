"""Walk and amend the configuration that a model file carries, before a framework reads it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

# Policies and types that compute in half precision.
_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


_MODELS = ("Sequential", "Functional", "Model")


_OPERATORS = (
    "TFOpLambda",
    "SlicingOpLambda",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "CuDNNLSTM",
    "CuDNNGRU",
)


def depth(config: Any) -> int:
    """Count the levels of a configuration, without recursion.

    Args:
        config: A configuration.

    Returns:
        1 for a plain value, one more for each list or object around one.
    """
    level, levels = [config], 0
    while level:
        levels += 1
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return levels


def values(config: Any) -> Iterator[Any]:
    """Give everything in a configuration, however deep: without recursion, which a file could exhaust.

    Args:
        config: A configuration.

    Yields:
        Each value in it, the whole first.
    """
    left = [config]
    while left:
        value = left.pop()
        yield value
        left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def uses_half_precision(config: Any) -> bool:
    """Tell whether a model computes in half precision.

    Args:
        config: Its configuration.

    Returns:
        Whether any layer does.
    """
    return any(isinstance(each, str) and each in _HALF for each in values(config))


def without_half(config: Any) -> Any:
    """Give a configuration in float32, in which weights are kept; half precision is for training on a GPU.

    Args:
        config: A configuration.

    Returns:
        The same with float32 for every half type.
    """
    if isinstance(config, dict):
        return {key: without_half(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(without_half(value) for value in config)
    return "float32" if isinstance(config, str) and config in _HALF else config


def without_state(config: Any) -> Any:
    """Give a configuration of any batch size, whose recurrent layers keep no state from call to call.

    Args:
        config: A configuration.

    Returns:
        A new one.
    """
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
    """Tell whether a model never saw its input's shape, so that it cannot be built.

    Args:
        config: A model's configuration.

    Returns:
        Whether it is a Sequential in which no shape is written down.
    """
    shapes = ("batch_input_shape", "batch_shape", "build_input_shape")
    return config.get("class_name") == "Sequential" and not any(
        isinstance(each, dict) and any(each.get(key) for key in shapes) for each in values(config)
    )


def unknown_layers(config: Any, framework: Any) -> list[str]:
    """Name the layers of a configuration that a framework does not have.

    Args:
        config: A model's configuration.
        framework: The module keras or tf_keras.

    Returns:
        Class names, each once, sorted.
    """
    # How it was trained is in the file as well, and nobody asks for an optimizer here.
    model = {key: value for key, value in config.items() if key != "compile_config"}
    described = [each for each in values(model) if isinstance(each, dict) and isinstance(each.get("config"), dict)]
    # A model's own class may leave its name out; anything else that is described without one is no layer.
    found = [each for each in described if each is model or "name" in each["config"]]
    layers = {
        str(each.get("registered_name") or each.get("class_name")): each for each in found if "class_name" in each
    }
    known = {*dir(framework.layers), *_MODELS, *_OPERATORS}
    names = [
        name for name, layer in layers.items() if name.rpartition(">")[2] not in known or _is_namesake(layer, framework)
    ]
    return sorted(name for name in names if not name.startswith("edgevid>") and _is_layer_name(name))


def _is_namesake(layer: Mapping[str, Any], framework: Any) -> bool:
    """Whether a layer only has the name of a built-in one: many people call theirs Attention."""
    module, own = layer.get("module"), getattr(framework.layers, str(layer["class_name"]), None)
    if isinstance(module, str):
        return module.partition(".")[0] not in ("keras", "tf_keras", "tensorflow", "builtins")
    # Files before Keras 2.12 name no module; a built-in layer writes down what it was made with.
    asked = (
        set(inspect.signature(own).parameters) - {"args", "kwargs", "name", "dtype", "trainable"}
        if own is not None
        else set()
    )
    return len(asked) > 1 and not asked & set(layer["config"])


def _is_layer_name(name: str) -> bool:
    return name[:1].isalpha() and name not in ("DTypePolicy", "Policy") and not name.startswith("__")
