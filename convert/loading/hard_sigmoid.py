"""Keeps the meaning of `hard_sigmoid` when Keras 3 loads a file of Keras 2, or the other way round.

Of all activations, layers and defaults that both frameworks have, only this one changed:
`hard_sigmoid` is clip(0.2 x + 0.5, 0, 1) in Keras 2 and relu6(x + 3) / 6 in Keras 3. Old recurrent
layers use it for their gates, and ConvLSTM of Keras 2 does by default.

Source: `tf_keras/src/backend.py` of tf_keras 2.21 and `keras/src/activations/activations.py` of
Keras 3.15.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from convert.loading.model_config import walk

NAME = "hard_sigmoid"
_PACKAGE = "edgevid"
# In code: the function itself, and layers that use it by default.
_IN_CODE = re.compile(rb"hard_sigmoid|ConvLSTM\dD\s*\(")


def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """Compute `hard_sigmoid` of Keras 2 in a layer of Keras 3: 0 at -2.5, 1 at 2.5."""
    import keras

    return keras.ops.clip(x * 0.2 + 0.5, 0.0, 1.0)


def hard_sigmoid_of_keras_3(x: Any) -> Any:
    """Compute `hard_sigmoid` of Keras 3 in a layer of tf_keras: 0 at -3, 1 at 3."""
    import tensorflow as tf

    return tf.nn.relu6(x + 3.0) / 6.0


_BY_WRITER = {"keras": hard_sigmoid_of_keras_3, "tf_keras": hard_sigmoid_of_keras_2}


def pin_hard_sigmoid(config: Any, *, writer: str, reader: str) -> tuple[Any, tuple[str, ...]]:
    """Replace `hard_sigmoid` by the function of the framework that wrote the configuration.

    Args:
        config: A model's configuration.
        writer: The framework that wrote it, "keras" or "tf_keras".
        reader: The framework that will read it.

    Returns:
        A new configuration and a note; the same object and no note if the meaning does not change.
    """
    if writer == reader or not any(isinstance(each, dict) and _uses_it(each) for each in walk(config)):
        return config, ()
    note = f"{NAME} keeps its meaning of Keras {3 if writer == 'keras' else 2}"
    return _replace(config, _register(writer, reader)), (note,)


def changes_in_code(config: Any, module: Path | None) -> bool:
    """Return whether the code of a model names `hard_sigmoid` or a layer that uses it by default.

    Such code means something else in the other framework, and cannot be rewritten as a
    configuration can.

    Args:
        config: The model's configuration, which may hold serialized functions.
        module: The user's module, or None.
    """
    if module is not None and module.is_file() and _IN_CODE.search(module.read_bytes()):
        return True
    # Serialized functions are base64; shorter strings are names.
    return any(_IN_CODE.search(_decoded(each)) for each in walk(config) if isinstance(each, str) and len(each) > 50)


def _uses_it(settings: dict[Any, Any]) -> bool:
    return any(_is_hard_sigmoid(key, value) for key, value in settings.items())


def _is_hard_sigmoid(key: object, value: Any) -> bool:
    """Return whether a setting is the activation, by name or as a serialized function."""
    if not isinstance(key, str) or not key.endswith("activation"):
        return False
    return value == NAME or (
        isinstance(value, dict) and value.get("class_name") == "function" and value.get("config") == NAME
    )


def _replace(config: Any, name: Any) -> Any:
    if isinstance(config, list):
        return [_replace(each, name) for each in config]
    if not isinstance(config, dict):
        return config
    return {key: name if _is_hard_sigmoid(key, value) else _replace(value, name) for key, value in config.items()}


def _register(writer: str, reader: str) -> Any:
    """Register the writer's function with the reader, and return its entry for a configuration."""
    function = _BY_WRITER[writer]
    name = f"{_PACKAGE}>{function.__name__}"
    if reader == "tf_keras":
        import tf_keras

        tf_keras.saving.register_keras_serializable(package=_PACKAGE)(function)
        return name
    import keras

    keras.saving.register_keras_serializable(package=_PACKAGE)(function)
    # Keras 3 looks up a plain name only among its own functions, and an object among the registered
    # ones.
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
