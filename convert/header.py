"""What a model file says of itself before any framework reads it, and copies of it that say it otherwise."""

from __future__ import annotations

import inspect
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevid.errors import ModelError

# Policies and types that compute in half precision.
_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")
# A model within models has about five levels for each; beyond this a file exhausts whoever follows it.
MAX_DEPTH = 150
_BUILD = "Build the model in Python, or with model_from_json from the .json that belongs to it, load_weights, save it."
_MODELS = ("Sequential", "Functional", "Model")
_OPERATORS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "CuDNNLSTM", "CuDNNGRU")


@dataclass(frozen=True)
class Header:
    """A file's description of its model.

    Attributes:
        config: The model's configuration.
        version: Keras version that wrote it.
    """

    config: dict[str, Any]
    version: str


def read(path: Path) -> Header:
    """Read the description.

    Args:
        path: A `.keras` archive or an HDF5 file, whatever its name.

    Returns:
        The description.

    Raises:
        ModelError: It is neither, is damaged, or holds weights only.
    """
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    import h5py

    if not h5py.is_hdf5(path):
        what = "a description without weights" if path.suffix == ".json" else "another kind of file"
        more = f" {_BUILD}" if path.suffix == ".json" else ""
        raise ModelError(f"Expected a Keras model (.keras zip or HDF5), got {what}: {path}.{more}", path=path)
    try:
        with h5py.File(path, "r") as file:
            config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(f"Expected a whole HDF5 file, got a damaged one: {path} ({_line(error)}).", path=path) from error
    if config is None:
        raise weights_only(path, "holds no model_config")
    return Header(_parse(config, path), _text(version))


def weights_only(path: Path, why: str) -> ModelError:
    """Give the refusal of weights without a model.

    Args:
        path: The file or folder.
        why: What it is or lacks.

    Returns:
        What to raise.
    """
    return ModelError(f"Expected a whole model, got weights only: {path} {why}. {_BUILD}", path=path)


def _read_zip(path: Path) -> Header:
    try:
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json")
            version = _parse(archive.read("metadata.json"), path).get("keras_version", "3")
    # A damaged archive can ask for anything, in the words of whichever module meets it first.
    except (KeyError, zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, ValueError, zipfile.LargeZipFile) as error:
        raise ModelError(
            f"Expected a .keras archive with config.json and metadata.json, got a damaged or other zip: {path} ({_line(error)}).", path=path
        ) from error
    return Header(_parse(config, path), str(version))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _parse(data: Any, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError, TypeError) as error:
        raise ModelError(f"Expected a model configuration in JSON in {path}: {_line(error)}.", path=path) from error
    if not isinstance(value, dict):
        raise ModelError(f"Expected a model configuration in {path}, got {type(value).__name__}.", path=path)
    if depth(value) > MAX_DEPTH:
        raise ModelError(f"Expected a model configuration of at most {MAX_DEPTH} levels, got {depth(value)} in {path}.", expected=MAX_DEPTH, path=path)
    return value


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
        level = [inner for value in level if isinstance(value, (dict, list)) for inner in (value.values() if isinstance(value, dict) else value)]
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


def says_half(config: Any) -> bool:
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


def shapeless(config: Any) -> bool:
    """Tell whether a model never saw its input's shape, so that it cannot be built.

    Args:
        config: A model's configuration.

    Returns:
        Whether it is a Sequential in which no shape is written down.
    """
    shapes = ("batch_input_shape", "batch_shape", "build_input_shape")
    return config.get("class_name") == "Sequential" and not any(isinstance(each, dict) and any(each.get(key) for key in shapes) for each in values(config))


def strangers_in(config: Any, framework: Any) -> list[str]:
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
    layers = {str(each.get("registered_name") or each.get("class_name")): each for each in found if "class_name" in each}
    known = {*dir(framework.layers), *_MODELS, *_OPERATORS}
    names = [name for name, layer in layers.items() if name.rpartition(">")[2] not in known or _is_namesake(layer, framework)]
    return sorted(name for name in names if not name.startswith("edgevid>") and _is_layer_name(name))


def _is_namesake(layer: Mapping[str, Any], framework: Any) -> bool:
    """Whether a layer only has the name of a built-in one: many people call theirs Attention."""
    module, own = layer.get("module"), getattr(framework.layers, str(layer["class_name"]), None)
    if isinstance(module, str):
        return module.partition(".")[0] not in ("keras", "tf_keras", "tensorflow", "builtins")
    # Files before Keras 2.12 name no module; a built-in layer writes down what it was made with.
    asked = set(inspect.signature(own).parameters) - {"args", "kwargs", "name", "dtype", "trainable"} if own is not None else set()
    return len(asked) > 1 and not asked & set(layer["config"])


def _is_layer_name(name: str) -> bool:
    return name[:1].isalpha() and name not in ("DTypePolicy", "Policy") and not name.startswith("__")


def write_copy(path: Path, folder: Path, config: Any = None) -> Path:
    """Copy a model file under a name whose suffix tells the truth, with another configuration if one is given.

    Args:
        path: The file.
        folder: Where to.
        config: Written in place of the file's own; None keeps it.

    Returns:
        The copy, or the file itself where its name is right and nothing changes.
    """
    zipped = zipfile.is_zipfile(path)
    suffixes = (".keras",) if zipped else (".h5", ".hdf5")
    if config is None and path.suffix in suffixes:
        return path
    target = folder / f"model{suffixes[0]}"
    if config is None or not zipped:
        shutil.copyfile(path, target)
    if config is not None:
        (_rewrite_zip if zipped else _rewrite_hdf5)(path, target, json.dumps(config))
    return target


def _rewrite_zip(path: Path, target: Path, config: str) -> None:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            copy.writestr(member, config if member.filename == "config.json" else source.read(member))


def _rewrite_hdf5(_path: Path, target: Path, config: str) -> None:
    import h5py

    with h5py.File(target, "r+") as file:
        del file.attrs["model_config"]
        # As text of any length: bytes would have to fit into an attribute of 64 KiB.
        file.attrs["model_config"] = config
