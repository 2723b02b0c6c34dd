"""Load what people have: Keras 3 and Keras 2 files, each by the framework that wrote it.

Keras 3 refuses most files of Keras 2 (`time_major`, layers inside TimeDistributed) and tf_keras refuses those of Keras 3 (`batch_shape`),
so the file is looked at before either is asked. A file name says little: HDF5 under a `.keras` name is common.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from convert.quiet import import_tensorflow
from convert.reasons import reason_of
from edgevid.errors import ModelError, UsageError

Framework = Literal["keras", "tf_keras"]
# Policies and types that compute in half precision.
_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


@dataclass(frozen=True)
class LoadedModel:
    """A trained model in memory.

    Attributes:
        model: The Keras model; belongs to `framework`.
        framework: "keras" (version 3) or "tf_keras" (version 2).
        path: The file.
        sha256: Its hash.
        written_by: Keras version that wrote the file, or "unknown".
    """

    model: Any
    framework: Framework
    path: Path
    sha256: str
    written_by: str


@dataclass(frozen=True)
class _Header:
    """What a file says before any framework reads it."""

    config: dict[str, Any]
    version: str


def load(path: str | Path, *, allow_code: bool = False) -> LoadedModel:
    """Load a trained model.

    Args:
        path: A `.keras` or `.h5` file.
        allow_code: Load Lambda layers, which run code from the file.

    Returns:
        The model with its weights.

    Raises:
        UsageError: There is no such file.
        ModelError: It holds no model, holds code, or its framework refuses it.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"Expected a .keras or .h5 model file, found {'a directory' if path.is_dir() else 'nothing'} at {path}.", path=path)
    header = _read_header(path)
    if not allow_code:
        _refuse_code(header.config, path)
    framework: Framework = "keras" if header.version.startswith("3") else "tf_keras"
    model = _load_with(framework, path, allow_code=allow_code, half=_says_half(header.config))
    return LoadedModel(model, framework, path, hashlib.sha256(path.read_bytes()).hexdigest(), header.version)


def _read_header(path: Path) -> _Header:
    if zipfile.is_zipfile(path):
        return _read_zip_header(path)
    import h5py

    if not h5py.is_hdf5(path):
        raise ModelError(f"Expected a Keras model (.keras zip or HDF5), got another kind of file: {path}.", path=path)
    try:
        with h5py.File(path, "r") as file:
            config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    except OSError as error:
        raise ModelError(f"Expected a whole HDF5 file, got a damaged one: {path} ({error}).", path=path) from error
    if config is None:
        raise ModelError(
            f"Expected a whole model, got weights only: {path} holds no model_config. Build the model in Python, load_weights, save it.",
            path=path,
        )
    return _Header(_parse(config, path), _text(version))


def _read_zip_header(path: Path) -> _Header:
    try:
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json")
            version = _parse(archive.read("metadata.json"), path).get("keras_version", "3")
    except (KeyError, zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"Expected a .keras archive with config.json and metadata.json, got a damaged or other zip: {path} ({error}).", path=path) from error
    return _Header(_parse(config, path), str(version))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _parse(data: Any, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"Expected a model configuration in JSON in {path}: {error}.", path=path) from error
    if not isinstance(value, dict):
        raise ModelError(f"Expected a model configuration in {path}, got {type(value).__name__}.", path=path)
    return value


def _values(config: Any) -> Iterator[Any]:
    """Give everything in a configuration, however deep: without recursion, which a file could exhaust."""
    left = [config]
    while left:
        value = left.pop()
        yield value
        left.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _refuse_code(config: dict[str, Any], path: Path) -> None:
    if any(isinstance(each, dict) and each.get("class_name") == "Lambda" for each in _values(config)):
        raise ModelError(
            f"Expected a model without code, got a Lambda layer in {path}: loading it would run Python from the file. "
            "Replace it by a built-in layer, or pass --allow-code if you trust the file.",
            path=path,
        )


def _says_half(config: dict[str, Any]) -> bool:
    return any(isinstance(each, str) and each in _HALF for each in _values(config))


def _load_with(framework: Framework, path: Path, *, allow_code: bool, half: bool) -> Any:
    import_tensorflow()
    module = _framework(framework)
    target = _as_named(path)
    try:
        model = module.models.load_model(target, compile=False, safe_mode=not allow_code)
        return _in_float32(model) if half else model
    except Exception as error:  # a framework raises anything at all on a file that it does not like
        raise ModelError(f"Expected a model that {framework} {module.__version__} can load, got {path}: {reason_of(error)}", path=path) from error
    finally:
        if target != str(path):
            Path(target).unlink()


def _in_float32(model: Any) -> Any:
    """Build a model of mixed precision again in float32, in which its weights are kept; half precision is for training on a GPU."""
    again = type(model).from_config(_without_half(model.get_config()))
    again.set_weights(model.get_weights())
    return again


def _without_half(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_half(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_without_half(value) for value in config)
    return "float32" if isinstance(config, str) and config in _HALF else config


def _framework(framework: Framework) -> Any:
    if framework == "keras":
        import keras

        import convert.layers  # noqa: F401  # registers our layers with Keras

        return keras
    import tf_keras

    return tf_keras


def _as_named(path: Path) -> str:
    """Give a path whose suffix tells the truth: both frameworks choose their reader by the name."""
    import tempfile

    suffix = ".keras" if zipfile.is_zipfile(path) else ".h5"
    if path.suffix in (suffix, ".hdf5" if suffix == ".h5" else suffix):
        return str(path)
    with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as copy:
        copy.write(path.read_bytes())
    return copy.name
