"""A person's own layers: a Python module that they name, run with the framework that the model file needs."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from edgevid.errors import ModelError, UsageError

_MODULE = "custom_objects"
# Where modules of years ago find layers that have moved since.
_OLD_LAYERS = "core convolutional recurrent normalization embeddings merge wrappers pooling advanced_activations noise local".split()
_OLD_ENGINE = ("engine", "engine.topology", "engine.base_layer", "engine.training", "engine.input_spec")


def defined_in(path: Path, framework: str) -> dict[str, Any]:
    """Run a module and give the classes and functions that it defines.

    Args:
        path: A Python file.
        framework: "keras" or "tf_keras": what its `keras` and `tensorflow.keras` are.

    Returns:
        Objects by name, for a framework's `custom_objects`.

    Raises:
        UsageError: There is no such file.
        ModelError: It cannot be run.
    """
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(expected="--custom-objects to name a Python file", found=f"{path}", path=path)
    spec = importlib.util.spec_from_file_location(f"{_MODULE}_{framework}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _keras_is(framework), _beside(path):
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # the module is a person's own, and may raise anything
            raise ModelError(
                expected=f"--custom-objects {path} to run with {framework}", found=f"{reason_of(error)}", path=path
            ) from error
    defined = {name: each for name, each in vars(module).items() if inspect.isclass(each) or inspect.isfunction(each)}
    for each in defined.values():
        _take_own_arguments(each, framework)
    return defined


def _take_own_arguments(given: Any, framework: str) -> None:
    """Let a layer of Keras 3 be made again that takes its own arguments only: Keras writes down its type and whether it is trained too, and gives it all."""
    keras, layer = importlib.import_module(framework), given
    if (
        framework != "keras"
        or not isinstance(given, type)
        or not issubclass(given, keras.Layer)
        or issubclass(given, keras.Model)
    ):
        return
    parameters = inspect.signature(layer).parameters
    theirs = layer.__module__ == f"{_MODULE}_keras" and layer.from_config.__module__.startswith("keras.")
    if not theirs or any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return
    layer.from_config = classmethod(
        lambda cls, config: cls(**{key: value for key, value in config.items() if key in parameters})
    )


def of_applications(framework: str) -> dict[str, Any]:
    """Give what the networks of `keras.applications` use and no framework finds by itself when it loads them.

    Args:
        framework: "keras" or "tf_keras".

    Returns:
        Classes and functions by the names that files have for them: layers of ConvNeXt and InceptionResNetV2, the dropout of the package efficientnet
        (https://github.com/qubvel/efficientnet), which fixes the shape of its noise in training, and activations that were given as TensorFlow's functions.
    """
    import tensorflow as tf

    networks = {"convnext": ("LayerScale", "StochasticDepth"), "inception_resnet_v2": ("CustomScaleLayer",)}
    modules = {name: importlib.import_module(f"{framework}.src.applications.{name}") for name in networks}
    layers = {
        name: getattr(modules[network], name)
        for network, names in networks.items()
        for name in names
        if hasattr(modules[network], name)
    }
    layers["FixedDropout"] = importlib.import_module(framework).layers.Dropout
    functions = {
        "relu6": tf.nn.relu6,
        "leaky_relu": tf.nn.leaky_relu,
        "log_softmax_v2": tf.nn.log_softmax,
        "swish": tf.nn.silu,
        "sin": tf.sin,
    }
    # Those of TensorFlow Addons, which has ended and is in few places still installed.
    functions |= {"Addons>gelu": _approximate_gelu, "Addons>mish": _mish}
    # The framework's own, by whose name it is seen that scores are probabilities.
    functions["softmax_v2"] = importlib.import_module(f"{framework}.activations").softmax
    return {**layers, **functions}


def _approximate_gelu(x: Any) -> Any:
    """The gelu of TensorFlow Addons, whose default is the approximation: tensorflow_addons/activations/gelu.py."""
    import tensorflow as tf

    return tf.nn.gelu(x, approximate=True)


def _mish(x: Any) -> Any:
    """Multiply by the tanh of softplus: tensorflow_addons/activations/mish.py."""
    import tensorflow as tf

    return x * tf.math.tanh(tf.math.softplus(x))


def common_aliases(framework: str) -> dict[str, Any]:
    """Give the names that code in a model file uses without importing them, because the program that wrote it had.

    Args:
        framework: "keras" or "tf_keras".

    Returns:
        Modules by the names that everybody gives them. They are also put beside the framework's reader of such code, which looks for them there.
    """
    import math

    import numpy as np
    import tensorflow as tf

    # Keras 3 keeps the functions of the old backend in TensorFlow's namespace only.
    keras = importlib.import_module(framework)
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
    for reader in map(importlib.import_module, internals.MODULES_OF_CODE[framework]):
        for name, module in names.items():
            vars(reader).setdefault(name, module)
    return names


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let the module import what lies beside it, as it did where it was trained."""
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(path.parent.resolve()))


@contextmanager
def _keras_is(framework: str) -> Iterator[None]:
    """Give tf_keras to a module that imports keras or tensorflow.keras, where its model was written by Keras 2."""
    if framework != "tf_keras":
        yield
        return
    import tensorflow as tf
    import tf_keras

    saved = {name: module for name, module in sys.modules.items() if _is_keras(name)}
    kept = tf.__dict__.get("keras")
    for name in saved:
        del sys.modules[name]
    aliases = {
        name: module for name, module in sys.modules.items() if name == "tf_keras" or name.startswith("tf_keras.")
    }
    for name, module in aliases.items():
        tail = name.removeprefix("tf_keras")
        sys.modules[f"keras{tail}"] = sys.modules[f"tensorflow.keras{tail}"] = module
    for part in (
        "layers",
        "models",
        "backend",
        "activations",
        "initializers",
        "regularizers",
        "constraints",
        "utils",
        "applications",
        "losses",
        "metrics",
    ):
        sys.modules[f"keras.{part}"] = sys.modules[f"tensorflow.keras.{part}"] = getattr(tf_keras, part)
    for place in (*_OLD_ENGINE, *(f"layers.{name}" for name in _OLD_LAYERS)):
        sys.modules[f"keras.{place}"] = sys.modules[f"tensorflow.keras.{place}"] = _everything(tf_keras)
    tf.__dict__["keras"] = tf_keras
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_keras(name)]:
            del sys.modules[name]
        sys.modules.update(saved)
        if kept is None:
            del tf.__dict__["keras"]
        else:
            tf.__dict__["keras"] = kept


def _everything(framework: Any) -> ModuleType:
    """All layers and models of a framework in one module, for whoever looks for one of them in a place that is gone."""
    module = ModuleType("everything")
    vars(module).update({**vars(framework.layers), "Model": framework.Model, "Sequential": framework.Sequential})
    return module


def _is_keras(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == "keras" or name.startswith("tensorflow.keras")
