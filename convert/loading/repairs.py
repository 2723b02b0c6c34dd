"""Model configurations of other Keras versions, rewritten so that the version here reads them and the model stays the same.

Each repair renames or leaves out what another version wrote differently, and nothing that an answer depends on. A file is never changed: a repaired
copy is loaded, and the conversion's report says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from convert.loading.lambda_layers import function_name
from convert.loading.shared_layers import restore_shared_ids

Config = Any
"""What a JSON file can hold."""
_DRAWN = ("_initializer", "_regularizer", "_constraint")
_OF_AUGMENTATION = ("value_range", "data_format", "fill_mode", "fill_value", "interpolation", "seed")
_SUM_IN_CODE = re.compile(r"block(35|17|8)_\d+")
_ENDS = ("input_layers", "output_layers")
_CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}


def repaired(config: Config, framework: str) -> tuple[Config, tuple[str, ...]]:
    """Apply every repair that has something to do.

    Args:
        config: A model's configuration.
        framework: What is to read it, "keras" or "tf_keras".

    Returns:
        A new configuration, and what was done to it.
    """
    whole = restore_shared_ids(config)
    changed, done = _apply({**REPAIRS, **(_FOR_KERAS_3 if framework == "keras" else _FOR_KERAS_2)}, whole)
    return changed, (*(() if whole is config else ("shared layers read as one",)), *done)


def runnable(config: Config) -> tuple[Config, tuple[str, ...]]:
    """Apply the repairs without which a model that loads does not run on a CPU.

    Args:
        config: A model's configuration.

    Returns:
        A new configuration, and what was done to it.
    """
    return _apply(_FOR_CPU, config)


def _apply(
    repairs: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]], config: Config
) -> tuple[Config, tuple[str, ...]]:
    done: list[str] = []

    def visit(value: Config) -> Config:
        if isinstance(value, list):
            return [visit(each) for each in value]
        if not isinstance(value, dict):
            return value
        changed = {key: visit(each) for key, each in value.items()}
        for name, repair in repairs.items():
            after = repair(changed)
            if after != changed:
                done.append(name)
                changed = after
        return changed

    return visit(config), tuple(dict.fromkeys(done))


def _is_layer(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict)


def _without_drawing(value: dict[str, Any]) -> dict[str, Any]:
    """Weights come from the file: how they were first drawn, penalised or bounded in training says nothing of them."""
    return {key: each for key, each in value.items() if not (isinstance(key, str) and key.endswith(_DRAWN))}


def _without_cudnn(value: dict[str, Any]) -> dict[str, Any]:
    """Keras 2's GPU-only layers are LSTM and GRU with sigmoid gates; tf_keras converts their weights by the shape of the bias."""
    if not _is_layer(value) or value["class_name"] not in _CUDNN:
        return value
    given = {"activation": "tanh", "recurrent_activation": "sigmoid", **value["config"]}
    return {
        **value,
        "class_name": _CUDNN[value["class_name"]],
        "config": given | ({"reset_after": True} if "GRU" in value["class_name"] else {}),
    }


def _without_sums_in_code(value: dict[str, Any]) -> dict[str, Any]:
    """InceptionResNetV2 of Keras 2 adds in Lambda layers, x + scale * y, and the code of one is only for the Python that wrote it.

    Source: `inception_resnet_block` in keras/applications/inception_resnet_v2.py of Keras 2.3 to 2.15; tf_keras 2.21 has a layer for it.
    """
    given = value["config"] if _is_layer(value) and value["class_name"] == "Lambda" else {}
    if not _SUM_IN_CODE.fullmatch(str(given.get("name"))) or set(given.get("arguments") or ()) != {"scale"}:
        return value
    config = {key: given[key] for key in ("name", "trainable", "dtype") if key in given} | {
        "scale": given["arguments"]["scale"]
    }
    packaged = {"module": None, "registered_name": "CustomScaleLayer"} if "module" in value else {}
    return {**value, "class_name": "CustomScaleLayer", "config": config, **packaged}


def with_functions(config: Config, functions: Collection[str]) -> tuple[Config, tuple[str, ...]]:
    """Put a person's own functions in the place of code in the file.

    Args:
        config: A model's configuration.
        functions: Names of functions; each stands for the Lambda layer of its name.

    Returns:
        A new configuration, and what was done to it.
    """

    def replaced(value: dict[str, Any]) -> dict[str, Any]:
        name = (
            function_name(str(value["config"].get("name")))
            if _is_layer(value) and value["class_name"] == "Lambda"
            else ""
        )
        return (
            {**value, "config": {**value["config"], "function": name, "function_type": "function", "module": None}}
            if name in functions
            else value
        )

    return _apply({"Lambda layers replaced by functions of their names": replaced}, config)


def _without_defaults(value: dict[str, Any]) -> dict[str, Any]:
    """Arguments that Keras 3 no longer has, where they say what it does anyway."""
    dropped = {
        ("time_major", False),
        ("ragged", False),
        ("sparse", False),
        ("implementation", 1),
        ("implementation", 2),
    }
    if value.get("class_name") == "DepthwiseConv2D" and isinstance(value.get("config"), dict):
        value = {
            **value,
            "config": {key: each for key, each in value["config"].items() if (key, each) != ("groups", 1)},
        }
    return {key: each for key, each in value.items() if not (isinstance(each, (bool, int)) and (key, each) in dropped)}


def _packed_code(value: dict[str, Any]) -> dict[str, Any]:
    """A function's default arguments are a tuple, and a list in JSON; Keras 3 turns it back only where the whole function is one list."""
    given = value.get("config")
    if (
        value.get("class_name") != "__lambda__"
        or not isinstance(given, dict)
        or not isinstance(given.get("defaults"), list)
    ):
        return value
    return {
        **value,
        "config": {
            "code": [given.get("code"), given["defaults"], given.get("closure")],
            "defaults": None,
            "closure": None,
        },
    }


def _plain_policy(value: dict[str, Any]) -> dict[str, Any]:
    """Keras 3 writes a type as an object, Keras 2 and its first releases by its name."""
    policy = value.get("dtype")
    if (
        isinstance(policy, dict)
        and policy.get("class_name") in ("DTypePolicy", "Policy")
        and isinstance(policy.get("config"), dict)
    ):
        return {**value, "dtype": policy["config"].get("name", "float32")}
    return value


def _without_augmentation(value: dict[str, Any]) -> dict[str, Any]:
    """How pictures are turned, moved or lit at random in training says nothing of answers, and is written otherwise by every other version."""
    if not _is_layer(value) or not value["class_name"].startswith("Random") or value["class_name"] == "RandomCrop":
        return value
    return {**value, "config": {key: each for key, each in value["config"].items() if key not in _OF_AUGMENTATION}}


def _lone_ends(value: dict[str, Any]) -> dict[str, Any]:
    """Keras 3.4 to 3.10 wrote a model's only input and output as lists of one, and TimeDistributed cannot call a model that gives a list."""
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
    """An input's shape has been `batch_input_shape` and `batch_shape`."""
    if value.get("class_name") != "InputLayer" or not isinstance(value.get("config"), dict):
        return value
    config = {key: each for key, each in value["config"].items() if key not in dropped}
    if new not in config and old in config:
        config[new] = config.pop(old)
    return {**value, "config": config}


def _moved_modules(value: dict[str, Any]) -> dict[str, Any]:
    """What lay under `keras.engine` and its like in Keras 2.12 lies under `keras.src` since; what the public API names stays where it is."""
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
    """TensorFlow's functions are written to HDF5 as objects of a class `function`, and looked for by that name when they are read."""
    return {key: each["config"] if _is_function(each) else each for key, each in value.items()}


def _is_function(value: Config) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "function" and isinstance(value.get("config"), str)


def _listed_layers(value: dict[str, Any]) -> dict[str, Any]:
    """Before Keras 2.2.3 a Sequential's configuration was the list of its layers."""
    if value.get("class_name") == "Sequential" and isinstance(value.get("config"), list):
        return {**value, "config": {"name": "sequential", "layers": value["config"]}}
    return value


_FOR_CPU = {
    "cuDNN layers read as LSTM and GRU": _without_cudnn,
    "sums of InceptionResNetV2 read as its layers": _without_sums_in_code,
}
REPAIRS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **_FOR_CPU,
    "initialisers, regularisers and constraints left out": _without_drawing,
    "types named": _plain_policy,
    "a list of layers read as a Sequential": _listed_layers,
}
_FOR_KERAS_3 = {
    "arguments without effect left out": _without_defaults,
    "input shapes renamed": _input_for_keras_3,
    "arguments of augmentation left out": _without_augmentation,
    "an only input or output read as itself": _lone_ends,
    "default arguments of functions read": _packed_code,
}
_FOR_KERAS_2 = {
    "input shapes renamed": _input_for_keras_2,
    "modules named as they are now": _moved_modules,
    "functions named": _named_functions,
}
