"""Names that mean one thing in Keras 2 and another in Keras 3, kept as they were where a file is loaded by the framework that did not write it.

Of all activations, layers and defaults that both frameworks have, one changed its meaning: `hard_sigmoid` is clip(0.2 x + 0.5, 0, 1) in Keras 2 and
relu6(x + 3) / 6 in Keras 3. Old recurrent layers have it for their gates, and ConvLSTM of Keras 2 by default.

Source: `tf_keras/src/backend.py` of tf_keras 2.21 and `keras/src/activations/activations.py` of Keras 3.15.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from convert.loading.model_config import values

NAME = "hard_sigmoid"
_PACKAGE = "edgevid"
_OF = {"keras": "hard_sigmoid_of_keras_3", "tf_keras": "hard_sigmoid_of_keras_2"}
# What code may say that is another thing in the other framework: the function, and layers whose default it was.
_IN_CODE = re.compile(rb"hard_sigmoid|ConvLSTM\dD\s*\(")


def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """Give what `hard_sigmoid` is in Keras 2, to a layer of Keras 3.

    Args:
        x: Any tensor.

    Returns:
        The same shape, from 0 at -2.5 to 1 at 2.5.
    """
    import keras

    return keras.ops.clip(x * 0.2 + 0.5, 0.0, 1.0)


def hard_sigmoid_of_keras_3(x: Any) -> Any:
    """Give what `hard_sigmoid` is in Keras 3, to a layer of tf_keras.

    Args:
        x: Any tensor.

    Returns:
        The same shape, from 0 at -3 to 1 at 3.
    """
    import tensorflow as tf

    return tf.nn.relu6(x + 3.0) / 6.0


def pin_hard_sigmoid(config: Any, *, writer: str, reader: str) -> tuple[Any, tuple[str, ...]]:
    """Make a configuration mean in one framework what it meant in the other.

    Args:
        config: A model's configuration.
        writer: The framework that wrote it, "keras" or "tf_keras".
        reader: The one that is to read it.

    Returns:
        A new configuration, and what was done; the same object and nothing where no name changes its meaning.
    """
    if writer == reader or not any(
        isinstance(each, dict) and any(_means(key, value) for key, value in each.items()) for each in values(config)
    ):
        return config, ()
    return _renamed(config, _registered(writer, reader)), (
        f"{NAME} kept as Keras {3 if writer == 'keras' else 2} has it",
    )


def changes_in_code(config: Any, module: Path | None) -> bool:
    """Tell whether code that comes with a model may mean something else in the framework that did not write it.

    Args:
        config: The model's configuration, which may hold functions.
        module: A person's own, or None.

    Returns:
        Whether it names what changed.
    """
    if module is not None and module.is_file() and _IN_CODE.search(module.read_bytes()):
        return True
    return any(_IN_CODE.search(_decoded(each)) for each in values(config) if isinstance(each, str) and len(each) > 50)


def _means(key: object, value: Any) -> bool:
    """Whether a setting is the function: by its name, or as an object that is one."""
    if not isinstance(key, str) or not key.endswith("activation"):
        return False
    return value == NAME or (
        isinstance(value, dict) and value.get("class_name") == "function" and value.get("config") == NAME
    )


def _renamed(config: Any, name: Any) -> Any:
    if isinstance(config, list):
        return [_renamed(each, name) for each in config]
    if not isinstance(config, dict):
        return config
    return {key: name if _means(key, value) else _renamed(value, name) for key, value in config.items()}


def _registered(writer: str, reader: str) -> Any:
    """Register the writer's function with the reader; give what stands for it in a configuration."""
    function = globals()[_OF[writer]]
    name = f"{_PACKAGE}>{function.__name__}"
    if reader == "tf_keras":
        import tf_keras

        tf_keras.saving.register_keras_serializable(package=_PACKAGE)(function)
        return name
    import keras

    keras.saving.register_keras_serializable(package=_PACKAGE)(function)
    # Keras 3 looks for a name among its own only, and for an object among those that are registered.
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def _decoded(text: str) -> bytes:
    """Functions lie in configurations as base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
