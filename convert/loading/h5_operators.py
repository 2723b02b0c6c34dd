"""Loads HDF5 files of Keras 3 whose model has operators between its layers.

Operators are calls such as `x / 127.5`, `x[..., :3]` and `keras.ops.reshape`.

Keras 3 writes such files and cannot read them. It looks for every class among its layers, where
some operators are missing (`GetItem`) and others have the name of a layer (`Reshape`, `Add`). A
`.keras` file names the module of each class, so the configuration is completed to what such a file
would hold.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.frameworks import internals
from convert.loading.model_config import walk

# Module and registered name of the model classes, as `.keras` files state them.
_MODELS = {
    "Functional": (internals.FUNCTIONAL_MODULE, "Functional"),
    "Model": (internals.FUNCTIONAL_MODULE, "Functional"),
    "Sequential": ("keras", None),
}


def has_operators(config: Any) -> bool:
    """Return whether a model's configuration, as Keras 3 writes it to HDF5, contains operators."""
    return any(isinstance(each, dict) and "inbound_nodes" in each and _is_operator(each) for each in walk(config))


def load_model(path: Path, config: Any, *, safe_mode: bool, custom_objects: Mapping[str, Any]) -> Any:
    """Load a model with operators.

    Args:
        path: An HDF5 file of Keras 3.
        config: The model's configuration.
        safe_mode: Whether to reject code in the file.
        custom_objects: The model's own layers and functions by name.

    Returns:
        The model with its weights.
    """
    import h5py

    model = internals.from_description(complete(config), custom_objects=custom_objects, safe_mode=safe_mode)
    with h5py.File(path, "r") as file:
        internals.load_hdf5_weights(file["model_weights"], model)
    return model


def complete(config: Any) -> Any:
    """Add the module of each layer and operator to a configuration from HDF5.

    Returns:
        A new configuration, as Keras 3 writes it to `.keras` files.
    """
    if isinstance(config, list):
        return [complete(each) for each in config]
    if not isinstance(config, dict):
        return config
    changed = {key: complete(value) for key, value in config.items()}
    if "module" in config or not _is_class(config):
        return changed
    module, registered = _home(config)
    if module is None:
        return changed
    return {
        "module": module,
        "registered_name": registered,
        **changed,
        "class_name": registered or changed["class_name"],
    }


def _is_class(value: Mapping[str, Any]) -> bool:
    # Names such as __lambda__ and __tuple__ mark values that are not objects of a class.
    name = value.get("class_name")
    return isinstance(name, str) and isinstance(value.get("config"), dict) and not name.startswith("__")


def _is_operator(value: Mapping[str, Any]) -> bool:
    # Every layer but InputLayer states whether it is trainable; operators never do.
    return (
        _is_class(value)
        and "trainable" not in value["config"]
        and value["class_name"] != "InputLayer"
        and _operator_module(value["class_name"]) is not None
    )


def _operator_module(name: str) -> str | None:
    modules = internals.OPERATOR_MODULES
    return next((each for each in modules if isinstance(vars(importlib.import_module(each)).get(name), type)), None)


def _home(value: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return module and registered name of a class of Keras; None for both if Keras lacks it."""
    import keras

    name = value["class_name"]
    if name in _MODELS:
        return _MODELS[name]
    if _is_operator(value):
        return _operator_module(name), name
    return ("keras.layers", None) if hasattr(keras.layers, name) else (None, None)
