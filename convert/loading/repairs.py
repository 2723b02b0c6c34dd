"""Rewrites configurations of other Keras versions so that the installed one can load them.

A repair renames or drops what another version wrote differently, and nothing that an answer depends
on. Files are never changed: the loader reads a repaired copy, and the conversion's report lists the
repairs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from convert.loading.model_config import function_name
from convert.loading.shared_layers import restore_shared_ids

# Anything that a JSON file can hold.
Config = Any
Repair = Callable[[dict[str, Any]], dict[str, Any]]
_WEIGHT_SETTINGS = ("_initializer", "_regularizer", "_constraint")
_AUGMENTATION_SETTINGS = ("value_range", "data_format", "fill_mode", "fill_value", "interpolation", "seed")
# Names of the blocks of InceptionResNetV2.
_RESIDUAL_SUM = re.compile(r"block(35|17|8)_\d+")
_ENDS = ("input_layers", "output_layers")
_CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}


def repair_for(config: Config, framework: str) -> tuple[Config, tuple[str, ...]]:
    """Apply every repair that a framework needs.

    Args:
        config: A model's configuration.
        framework: The framework that will read it, "keras" or "tf_keras".

    Returns:
        A new configuration, and the names of the repairs that changed it.
    """
    with_ids = restore_shared_ids(config)
    repairs = {**REPAIRS, **(_FOR_KERAS_3 if framework == "keras" else _FOR_KERAS_2)}
    changed, names = _apply(repairs, with_ids)
    return changed, names if with_ids is config else ("shared layers read as one", *names)


def repair_for_cpu(config: Config) -> tuple[Config, tuple[str, ...]]:
    """Apply the repairs of models that load, but do not run on a CPU.

    Args:
        config: A model's configuration.

    Returns:
        A new configuration, and the names of the repairs that changed it.
    """
    return _apply(_FOR_CPU, config)


def replace_lambdas(config: Config, functions: Collection[str]) -> tuple[Config, tuple[str, ...]]:
    """Replace code in the file by the user's own functions.

    Args:
        config: A model's configuration.
        functions: Names of functions; each replaces the Lambda layer of its name.

    Returns:
        A new configuration, and the name of the repair if it changed anything.
    """

    def replace(value: dict[str, Any]) -> dict[str, Any]:
        if not _is_layer(value) or value["class_name"] != "Lambda":
            return value
        name = function_name(str(value["config"].get("name")))
        if name not in functions:
            return value
        return {**value, "config": {**value["config"], "function": name, "function_type": "function", "module": None}}

    return _apply({"Lambda layers replaced by functions of their names": replace}, config)


def _apply(repairs: Mapping[str, Repair], config: Config) -> tuple[Config, tuple[str, ...]]:
    """Apply repairs to each object of a configuration, the innermost first."""
    if isinstance(config, list):
        items = [_apply(repairs, each) for each in config]
        return [changed for changed, _ in items], _unique(name for _, names in items for name in names)
    if not isinstance(config, dict):
        return config, ()
    entries = {key: _apply(repairs, each) for key, each in config.items()}
    value = {key: changed for key, (changed, _) in entries.items()}
    applied = [name for _, names in entries.values() for name in names]
    for name, repair in repairs.items():
        after = repair(value)
        if after != value:
            applied.append(name)
            value = after
    return value, _unique(applied)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _is_layer(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict)


def _without_weight_settings(value: dict[str, Any]) -> dict[str, Any]:
    # Weights come from the file: their initialisers, penalties and bounds mattered in training
    # only.
    return {key: each for key, each in value.items() if not (isinstance(key, str) and key.endswith(_WEIGHT_SETTINGS))}


def _without_cudnn(value: dict[str, Any]) -> dict[str, Any]:
    # The GPU-only layers of Keras 2 are LSTM and GRU with sigmoid gates. tf_keras recognises their
    # weights by the shape of the bias, and converts them.
    if not _is_layer(value) or value["class_name"] not in _CUDNN:
        return value
    config = {"activation": "tanh", "recurrent_activation": "sigmoid", **value["config"]}
    return {
        **value,
        "class_name": _CUDNN[value["class_name"]],
        "config": config | ({"reset_after": True} if "GRU" in value["class_name"] else {}),
    }


def _reset_before(value: dict[str, Any]) -> dict[str, Any]:
    # Keras 2.0 to 2.2 wrote GRUs before `reset_after` existed, and computed what False means. Both
    # frameworks now take True for a GRU that does not state it.
    if not _is_layer(value) or value["class_name"] not in ("GRU", "GRUCell") or "reset_after" in value["config"]:
        return value
    return {**value, "config": {**value["config"], "reset_after": False}}


def _without_residual_lambdas(value: dict[str, Any]) -> dict[str, Any]:
    """Replace the Lambda layers of InceptionResNetV2 by the layer that tf_keras 2.21 has for them.

    Keras 2 computes x + scale * y in them, and the code of a Lambda layer runs only in the Python
    that wrote it.

    Source: `inception_resnet_block` in keras/applications/inception_resnet_v2.py of Keras 2.3 to
    2.15.
    """
    old = value["config"] if _is_layer(value) and value["class_name"] == "Lambda" else {}
    if not _RESIDUAL_SUM.fullmatch(str(old.get("name"))) or set(old.get("arguments") or ()) != {"scale"}:
        return value
    config = {key: old[key] for key in ("name", "trainable", "dtype") if key in old}
    config["scale"] = old["arguments"]["scale"]
    packaged = {"module": None, "registered_name": "CustomScaleLayer"} if "module" in value else {}
    return {**value, "class_name": "CustomScaleLayer", "config": config, **packaged}


# Arguments that Keras 3 has dropped, with the values that describe what it does anyway.
_DEFAULTS = {
    ("time_major", False),
    ("ragged", False),
    ("sparse", False),
    ("implementation", 1),
    ("implementation", 2),
}


def _without_defaults(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("class_name") == "DepthwiseConv2D" and isinstance(value.get("config"), dict):
        value = {
            **value,
            "config": {key: each for key, each in value["config"].items() if (key, each) != ("groups", 1)},
        }
    # Lists cannot be looked up in a set.
    return {
        key: each for key, each in value.items() if not (isinstance(each, (bool, int)) and (key, each) in _DEFAULTS)
    }


def _packed_code(value: dict[str, Any]) -> dict[str, Any]:
    # JSON turns the tuple of a function's default arguments into a list. Keras 3 turns it back only
    # if the whole function is one list.
    function = value.get("config")
    if value.get("class_name") != "__lambda__" or not isinstance(function, dict):
        return value
    if not isinstance(function.get("defaults"), list):
        return value
    packed = [function.get("code"), function["defaults"], function.get("closure")]
    return {**value, "config": {"code": packed, "defaults": None, "closure": None}}


def _plain_policy(value: dict[str, Any]) -> dict[str, Any]:
    # Keras 3 writes a dtype as an object; Keras 2 and the first releases of Keras 3 write its name.
    policy = value.get("dtype")
    if (
        isinstance(policy, dict)
        and policy.get("class_name") in ("DTypePolicy", "Policy")
        and isinstance(policy.get("config"), dict)
    ):
        return {**value, "dtype": policy["config"].get("name", "float32")}
    return value


def _without_augmentation(value: dict[str, Any]) -> dict[str, Any]:
    # Random layers do nothing outside of training, and nearly every version describes them
    # differently. RandomCrop crops the centre then, so its settings stay.
    if not _is_layer(value) or not value["class_name"].startswith("Random") or value["class_name"] == "RandomCrop":
        return value
    config = {key: each for key, each in value["config"].items() if key not in _AUGMENTATION_SETTINGS}
    return {**value, "config": config}


def _lone_ends(value: dict[str, Any]) -> dict[str, Any]:
    # Keras 3.4 to 3.10 wrote a model's only input and output as lists of one. TimeDistributed
    # cannot call a model that returns a list.
    return {
        key: each[0] if key in _ENDS and isinstance(each, list) and len(each) == 1 and _is_tensor(each[0]) else each
        for key, each in value.items()
    }


def _is_tensor(value: Config) -> bool:
    return isinstance(value, list) and [type(each) for each in value] == [str, int, int]


def _input_for_keras_3(value: dict[str, Any]) -> dict[str, Any]:
    return _renamed(value, "batch_input_shape", "batch_shape", ("sparse", "ragged"))


def _input_for_keras_2(value: dict[str, Any]) -> dict[str, Any]:
    return _renamed(value, "batch_shape", "batch_input_shape", ("optional",))


def _renamed(value: dict[str, Any], old: str, new: str, dropped: tuple[str, ...]) -> dict[str, Any]:
    if value.get("class_name") != "InputLayer" or not isinstance(value.get("config"), dict):
        return value
    config = {key: each for key, each in value["config"].items() if key not in dropped}
    if new not in config and old in config:
        config[new] = config.pop(old)
    return {**value, "config": config}


def _moved_modules(value: dict[str, Any]) -> dict[str, Any]:
    # Keras 2.13 moved `keras.engine` and its like to `keras.src`. Public modules such as
    # `keras.layers` stayed.
    module = value.get("module")
    if (
        not isinstance(module, str)
        or not module.startswith("keras.")
        or module.startswith("keras.src.")
        or module.count(".") < 2
    ):
        return value
    return {**value, "module": module.replace("keras.", "keras.src.", 1)}


def _named_functions(value: dict[str, Any]) -> dict[str, Any]:
    # A function of TensorFlow is written to HDF5 as an object of class `function`; the reader then
    # looks for a function of that name.
    return {key: each["config"] if _is_function(each) else each for key, each in value.items()}


def _is_function(value: Config) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "function" and isinstance(value.get("config"), str)


def _listed_layers(value: dict[str, Any]) -> dict[str, Any]:
    # Before Keras 2.2.3 the configuration of a Sequential was the list of its layers.
    if value.get("class_name") == "Sequential" and isinstance(value.get("config"), list):
        return {**value, "config": {"name": "sequential", "layers": value["config"]}}
    return value


# Repairs by the words with which the report lists them.
_FOR_CPU: dict[str, Repair] = {
    "cuDNN layers read as LSTM and GRU": _without_cudnn,
    "GRUs without reset_after read as those of Keras 2.0 to 2.2": _reset_before,
    "sums of InceptionResNetV2 read as its layers": _without_residual_lambdas,
}
REPAIRS: dict[str, Repair] = {
    **_FOR_CPU,
    "initialisers, regularisers and constraints dropped": _without_weight_settings,
    "dtypes named": _plain_policy,
    "a list of layers read as a Sequential": _listed_layers,
}
_FOR_KERAS_3: dict[str, Repair] = {
    "arguments without effect dropped": _without_defaults,
    "input shapes renamed": _input_for_keras_3,
    "arguments of augmentation dropped": _without_augmentation,
    "an only input or output read as itself": _lone_ends,
    "default arguments of functions read": _packed_code,
}
_FOR_KERAS_2: dict[str, Repair] = {
    "input shapes renamed": _input_for_keras_2,
    "modules renamed": _moved_modules,
    "functions named": _named_functions,
}
