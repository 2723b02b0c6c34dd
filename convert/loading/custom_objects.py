"""Layers and functions that a framework does not find by name, such as a user's own."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.loading.keras_modules import KerasModules
from edgevid.errors import ModelError, UsageError

_MODULE = "custom_objects"


def load_objects(path: Path, framework: str) -> dict[str, Any]:
    """Run a user's module and return the classes and functions that it defines.

    Args:
        path: A Python file.
        framework: "keras" or "tf_keras", which the module imports as `keras` and
            `tensorflow.keras`.

    Returns:
        Objects by name, for a framework's `custom_objects`. They are the classes and functions that
        the module defines, or imports from packages other than Python's own.

    Raises:
        UsageError: `path` is not a Python file.
        ModelError: The module raises an exception.
    """
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(expected="--custom-objects to name a Python file", found=str(path), path=path)
    spec = importlib.util.spec_from_file_location(f"{_MODULE}_{framework}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _keras_as(framework), _importable_siblings(path):
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # a user's module can raise anything
            raise ModelError(
                expected=f"--custom-objects {path} to run with {framework}", found=reason_of(error), path=path
            ) from error
    objects = {name: each for name, each in vars(module).items() if _is_for_models(each)}
    for each in objects.values():
        _accept_full_config(each, framework)
    return objects


def _is_for_models(each: Any) -> bool:
    """Return whether a model file may name an object of the user's module."""
    if not (inspect.isclass(each) or inspect.isfunction(each)):
        return False
    # What the module imports from Python's own library, such as `subprocess.run`, is no part of a model.
    return str(each.__module__).partition(".")[0] not in sys.stdlib_module_names


def _keras_as(framework: str) -> AbstractContextManager[Any]:
    # Keras 3 is what `keras` and `tensorflow.keras` are anyway.
    if framework != "tf_keras":
        return nullcontext()
    import tensorflow as tf
    import tf_keras

    return KerasModules(tf_keras, tf)


@contextmanager
def _importable_siblings(path: Path) -> Iterator[None]:
    """Let a module import the files next to it, as it could where the model was trained."""
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _accept_full_config(custom: Any, framework: str) -> None:
    """Let a layer of Keras 3 be built from its configuration if its `__init__` has no `**kwargs`.

    Keras 3 adds `trainable` and `dtype` to the configuration and passes them to `__init__`.
    """
    keras = importlib.import_module(framework)
    if framework != "keras" or not isinstance(custom, type) or not issubclass(custom, keras.Layer):
        return
    if issubclass(custom, keras.Model):
        return
    layer: Any = custom
    parameters = inspect.signature(layer).parameters
    # Layers that the module only imports stay as they are, and so do those with a `from_config` of
    # their own.
    is_own = layer.__module__ == f"{_MODULE}_keras" and layer.from_config.__module__.startswith("keras.")
    if not is_own or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return
    layer.from_config = classmethod(
        lambda cls, config: cls(**{key: value for key, value in config.items() if key in parameters})
    )


def application_objects(framework: str) -> dict[str, Any]:
    """Return objects that networks of `keras.applications` use and frameworks do not find by name.

    They are layers of ConvNeXt and InceptionResNetV2, the dropout of the package efficientnet
    (https://github.com/qubvel/efficientnet), which fixes the shape of its noise in training, and activations that were
    passed as functions of TensorFlow.

    Args:
        framework: "keras" or "tf_keras".

    Returns:
        Classes and functions by their names in model files.
    """
    import tensorflow as tf

    networks = {"convnext": ("LayerScale", "StochasticDepth"), "inception_resnet_v2": ("CustomScaleLayer",)}
    layers: dict[str, Any] = {}
    for network, names in networks.items():
        module = importlib.import_module(f"{framework}.src.applications.{network}")
        layers |= {name: getattr(module, name) for name in names if hasattr(module, name)}
    layers["FixedDropout"] = importlib.import_module(framework).layers.Dropout
    functions = {
        "relu6": tf.nn.relu6,
        "leaky_relu": tf.nn.leaky_relu,
        "log_softmax_v2": tf.nn.log_softmax,
        "swish": tf.nn.silu,
        "sin": tf.sin,
        # TensorFlow Addons has ended and is hardly installed any more.
        "Addons>gelu": _approximate_gelu,
        "Addons>mish": _mish,
        # The framework's own function: its name shows later that the scores are probabilities.
        "softmax_v2": importlib.import_module(f"{framework}.activations").softmax,
    }
    return {**layers, **functions}


def _approximate_gelu(x: Any) -> Any:
    """Compute the gelu of TensorFlow Addons, which approximates by default.

    Source: tensorflow_addons/activations/gelu.py.
    """
    import tensorflow as tf

    return tf.nn.gelu(x, approximate=True)


def _mish(x: Any) -> Any:
    """Compute the mish of TensorFlow Addons.

    Source: tensorflow_addons/activations/mish.py.
    """
    import tensorflow as tf

    return x * tf.math.tanh(tf.math.softplus(x))


def common_aliases(framework: str) -> dict[str, Any]:
    """Return the modules that code in a model file uses without an import, such as `tf` and `K`.

    The program that wrote the file had imported them. The names are also added to the namespace in
    which the framework runs such code, because it looks them up there.

    Args:
        framework: "keras" or "tf_keras".

    Returns:
        Modules by their customary names.
    """
    import math

    import numpy as np
    import tensorflow as tf

    keras = importlib.import_module(framework)
    # Keras 3 has the functions of the old backend only in TensorFlow's namespace.
    backend = keras.backend if framework == "tf_keras" else tf.keras.backend
    names = {
        "tf": tf,
        "tensorflow": tf,
        "K": backend,
        "backend": backend,
        "keras": keras,
        "layers": keras.layers,
        "np": np,
        "numpy": np,
        "math": math,
    }
    names |= {"ops": keras.ops} if framework == "keras" else {}
    for module in map(importlib.import_module, internals.MODULES_OF_CODE[framework]):
        for name, each in names.items():
            vars(module).setdefault(name, each)
    return names
