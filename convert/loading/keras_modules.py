"""Substitutes tf_keras for Keras in `sys.modules` while a module of Keras 2 is imported."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from types import ModuleType
from typing import Any, Self

# Public parts of tf_keras, by attribute: not every release lists them in `sys.modules`.
_PARTS = (
    "layers models backend activations initializers regularizers constraints utils applications losses metrics"
).split()
# Modules of early releases of Keras 2 whose layers have moved since. Each is replaced by a module
# that holds all layers.
_MOVED = (
    *("engine", "engine.topology", "engine.base_layer", "engine.training", "engine.input_spec"),
    *(
        f"layers.{name}"
        for name in (
            "core convolutional recurrent normalization embeddings merge wrappers pooling "
            "advanced_activations noise local"
        ).split()
    ),
)


class KerasModules:
    """The modules `keras` and `tensorflow.keras`, which become aliases of tf_keras for a while.

    As a context manager it saves the modules, aliases them to tf_keras, and restores them.

    Args:
        tf_keras: The module that replaces Keras.
        tensorflow: The module whose attribute `keras` is replaced as well.
        modules: The loaded modules by name.
    """

    def __init__(self, tf_keras: Any, tensorflow: Any, modules: MutableMapping[str, ModuleType] = sys.modules) -> None:
        self._tf_keras, self._tensorflow, self._modules = tf_keras, tensorflow, modules
        self._saved: dict[str, ModuleType] = {}
        self._attribute: Any = None

    def save(self) -> None:
        """Remove the modules of Keras and remember them."""
        self._saved = {name: module for name, module in self._modules.items() if _is_keras(name)}
        # TensorFlow loads its attribute lazily: looking into the namespace does not import Keras.
        self._attribute = vars(self._tensorflow).get("keras")
        self._remove()

    def alias(self) -> None:
        """Make every module of Keras an alias of one of tf_keras."""
        loaded = {name: module for name, module in self._modules.items() if name.split(".")[0] == "tf_keras"}
        for name, module in loaded.items():
            self._alias(name.removeprefix("tf_keras"), module)
        for part in _PARTS:
            self._alias(f".{part}", getattr(self._tf_keras, part))
        layers = _all_layers(self._tf_keras)
        for place in _MOVED:
            self._alias(f".{place}", layers)
        vars(self._tensorflow)["keras"] = self._tf_keras

    def restore(self) -> None:
        """Restore the saved modules in place of the aliases."""
        self._remove()
        self._modules.update(self._saved)
        if self._attribute is None:
            del vars(self._tensorflow)["keras"]
        else:
            vars(self._tensorflow)["keras"] = self._attribute

    def _alias(self, tail: str, module: Any) -> None:
        self._modules[f"keras{tail}"] = self._modules[f"tensorflow.keras{tail}"] = module

    def _remove(self) -> None:
        for name in [name for name in self._modules if _is_keras(name)]:
            del self._modules[name]

    def __enter__(self) -> Self:
        """Alias Keras to tf_keras."""
        self.save()
        self.alias()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Restore Keras."""
        self.restore()


def _is_keras(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == "keras" or name.startswith("tensorflow.keras")


def _all_layers(framework: Any) -> ModuleType:
    """Return a module that holds every layer and model of a framework."""
    module = ModuleType("all_layers")
    vars(module).update({**vars(framework.layers), "Model": framework.Model, "Sequential": framework.Sequential})
    return module
