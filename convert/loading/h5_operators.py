"""HDF5 files of Keras 3 whose model has operators between its layers: `x / 127.5`, `x[..., :3]`, `keras.ops.reshape`.

Keras 3 writes them and cannot read them: in this format it looks for every class among its layers, where some are missing (`GetItem`) and others have
the name of a layer (`Reshape`, `Add`). A `.keras` file says which is which, so the description is completed to what that would hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.frameworks import internals

_MODELS = {
    "Functional": (internals.FUNCTIONAL_MODULE, "Functional"),
    "Model": (internals.FUNCTIONAL_MODULE, "Functional"),
    "Sequential": ("keras", None),
}


def has_operators(config: Any) -> bool:
    """Tell whether a model's description, as Keras 3 writes it to HDF5, has operators.

    Args:
        config: The description.

    Returns:
        Whether one of the things that it calls is no layer.
    """
    from convert.loading.model_config import values

    return any(isinstance(each, dict) and "inbound_nodes" in each and _is_operator(each) for each in values(config))


def load_model(path: Path, config: Any, *, safe_mode: bool, custom_objects: Mapping[str, Any]) -> Any:
    """Load a model with operators.

    Args:
        path: An HDF5 file of Keras 3.
        config: Its description.
        safe_mode: Whether to refuse code.
        custom_objects: The model's own layers and functions.

    Returns:
        The model with its weights.
    """
    import h5py

    model = internals.from_description(completed(config), custom_objects=custom_objects, safe_mode=safe_mode)
    with h5py.File(path, "r") as file:
        internals.load_hdf5_weights(file["model_weights"], model)
    return model


def completed(config: Any) -> Any:
    """Say of each layer and operator where it is defined.

    Args:
        config: A description as Keras 3 writes it to HDF5.

    Returns:
        A new one, as Keras 3 writes it to `.keras` files.
    """
    if isinstance(config, list):
        return [completed(each) for each in config]
    if not isinstance(config, dict):
        return config
    changed = {key: completed(value) for key, value in config.items()}
    if "module" in config or not _is_called(config):
        return changed
    module, registered = _home(config)
    return (
        changed
        if module is None
        else {
            "module": module,
            "registered_name": registered,
            **changed,
            "class_name": registered or changed["class_name"],
        }
    )


def _is_called(value: Mapping[str, Any]) -> bool:
    name = value.get("class_name")
    return isinstance(name, str) and isinstance(value.get("config"), dict) and not name.startswith("__")


def _is_operator(value: Mapping[str, Any]) -> bool:
    """Layers are trainable or not and say so; operators are neither."""
    return (
        _is_called(value)
        and "trainable" not in value["config"]
        and value["class_name"] != "InputLayer"
        and _operator_home(value["class_name"]) is not None
    )


def _operator_home(name: str) -> str | None:
    import importlib

    places = internals.OPERATOR_MODULES
    return next((place for place in places if isinstance(vars(importlib.import_module(place)).get(name), type)), None)


def _home(value: Mapping[str, Any]) -> tuple[str | None, str | None]:
    import keras

    name = value["class_name"]
    if name in _MODELS:
        return _MODELS[name]
    if _is_operator(value):
        return _operator_home(name), name
    return ("keras.layers", None) if hasattr(keras.layers, name) else (None, None)
