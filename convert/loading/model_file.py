"""Reads the configuration of a model file without a framework, and replaces it in a copy."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.frameworks.messages import reason_of
from convert.loading.model_config import depth
from edgevid.errors import ModelError

# Nested models take about five levels each; a deeper file exhausts the recursion of the frameworks.
MAX_DEPTH = 150
_BUILD = (
    "Pass the .json that describes the model as MODEL, with --weights and the weights' file, or save a whole model."
)


@dataclass(frozen=True)
class Header:
    """A model file without its weights.

    Attributes:
        config: The model's configuration.
        version: Version of Keras that wrote the file, such as "2.15.0".
        loss: The loss that the model was compiled with, as the file describes it; None for none.
    """

    config: dict[str, Any]
    version: str
    loss: Any = None


def read(path: Path) -> Header:
    """Read the configuration of a model file.

    Args:
        path: A `.keras` archive or an HDF5 file; its content decides, not its suffix.

    Raises:
        ModelError: The file is of another kind, is damaged, or holds weights only.
    """
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    import h5py

    if not h5py.is_hdf5(path):
        is_json = path.suffix == ".json"
        kind = "a description without weights" if is_json else "another kind of file"
        raise ModelError(
            expected="a Keras model (.keras zip or HDF5)",
            found=f"{kind}: {path}",
            hint=_build_hint(path) if is_json else "",
            path=path,
        )
    try:
        with h5py.File(path, "r") as file:
            # Early releases of Keras 2 wrote no version.
            config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
            compiled = file.attrs.get("training_config")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(
            expected="a whole HDF5 file", found=f"a damaged one: {path} ({reason_of(error)})", path=path
        ) from error
    if config is None:
        raise weights_only_error(path, "holds no model_config")
    return Header(_parse(config, path), _text(version), _loss(None if compiled is None else _parse(compiled, path)))


def weights_only_error(path: Path, reason: str) -> ModelError:
    """Return the error for weights without a model.

    Args:
        path: The file or folder.
        reason: A verb phrase whose subject is the path, such as "holds no model_config".
    """
    return ModelError(
        expected="a whole model", found=f"weights only: {path} {reason}", hint=_build_hint(path), path=path
    )


def _build_hint(path: Path) -> str:
    """Return how to make a whole model of weights and the description next to them."""
    if path.suffix == ".json":
        return "Pass the file of its weights with --weights."
    for file in sorted(path.parent.glob("*.json")):
        try:
            described = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(described, dict) and "class_name" in described and "config" in described and path.is_file():
            return f"{file.name} next to it describes a model: pass {file} as MODEL, with --weights {path}"
    return _BUILD


def read_description(path: Path) -> Header:
    """Read a model's description in JSON, as `to_json` of Keras 2 or 3 writes it.

    Raises:
        ModelError: The file is no such description.
    """
    parsed = _parse(path.read_bytes(), path)
    if not isinstance(parsed.get("class_name"), str) or not isinstance(parsed.get("config"), dict):
        raise ModelError(
            expected="a model's description, as model.to_json() returns it", found=f"other JSON: {path}", path=path
        )
    # Only Keras 3 names the module of the model's class, and it omits its version.
    version = str(parsed.get("keras_version", "3" if "module" in parsed else "2"))
    return Header({key: value for key, value in parsed.items() if key not in ("keras_version", "backend")}, version)


def join_weights(header: Header, weights: Path, folder: Path) -> Path:
    """Write a whole model file from a description and a file of weights.

    Args:
        header: The description.
        weights: An HDF5 file of weights that has passed the guard.
        folder: The folder of the new file.

    Returns:
        The file: `.h5` for weights by layer, as Keras 2 writes them, and `.keras` for the layout of `.weights.h5`.
    """
    import h5py

    with h5py.File(weights, "r") as source:
        layers = source.get("model_weights", source)
        if "layer_names" in layers.attrs or "layer_names0" in layers.attrs:
            return _join_hdf5(header, layers, folder / "model.h5")
    target = folder / "model.keras"
    # Keras 2 names the module of the model's class in `.keras` files only.
    name = header.config["class_name"]
    named = {"module": "keras" if name == "Sequential" else "keras.src.engine.functional", "registered_name": name}
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("config.json", json.dumps({**named, **header.config}))
        archive.writestr("metadata.json", json.dumps({"keras_version": header.version}))
        archive.write(weights, "model.weights.h5")
    return target


def layers_with_weights(weights: Path) -> list[str]:
    """Return the names of the layers in a file of weights by layer; empty for the layout of `.weights.h5`.

    Args:
        weights: An HDF5 file that has passed the guard.
    """
    import h5py

    with h5py.File(weights, "r") as source:
        layers = source.get("model_weights", source)
        return [name for name in layers if len(layers[name].attrs.get("weight_names", ()))]


def _join_hdf5(header: Header, layers: Any, target: Path) -> Path:
    import h5py

    with h5py.File(target, "w") as file:
        group = file.create_group("model_weights")
        for key, value in layers.attrs.items():
            group.attrs[key] = value
        for name in layers:
            layers.copy(name, group)
        file.attrs["model_config"] = json.dumps(header.config)
        file.attrs["keras_version"] = header.version
    return target


def _read_zip(path: Path) -> Header:
    try:
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json")
            version = _parse(archive.read("metadata.json"), path).get("keras_version", "3")
    # A damaged archive can ask for encryption, other compression or sizes beyond any memory.
    except (
        KeyError,
        zipfile.BadZipFile,
        OSError,
        RuntimeError,
        NotImplementedError,
        EOFError,
        ValueError,
        zipfile.LargeZipFile,
    ) as error:
        raise ModelError(
            expected="a .keras archive with config.json and metadata.json",
            found=f"a damaged or other zip: {path} ({reason_of(error)})",
            path=path,
        ) from error
    parsed = _parse(config, path)
    return Header(parsed, str(version), _loss(parsed.get("compile_config")))


def _loss(compiled: Any) -> Any:
    return compiled.get("loss") if isinstance(compiled, dict) else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _parse(data: Any, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError, TypeError) as error:
        raise ModelError(
            expected=f"a model configuration in JSON in {path}", found=reason_of(error), path=path
        ) from error
    if not isinstance(value, dict):
        raise ModelError(expected=f"a model configuration in {path}", found=type(value).__name__, path=path)
    if depth(value) > MAX_DEPTH:
        raise ModelError(
            expected=f"a model configuration of at most {MAX_DEPTH} levels",
            found=f"{depth(value)} in {path}",
            path=path,
        )
    return value


def write_copy(path: Path, folder: Path, config: Any = None) -> Path:
    """Copy a model file to a name with the right suffix, and replace its configuration.

    Args:
        path: The file.
        folder: The folder of the copy.
        config: The new configuration; None keeps the file's own.

    Returns:
        The copy; the file itself if its suffix is right and its configuration stays.
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
        # As text, which is stored outside of the attribute: bytes would have to fit into its 64
        # KiB.
        file.attrs["model_config"] = config
