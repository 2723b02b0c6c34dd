"""What a model file says of itself before any framework reads it, and copies of it that say it otherwise."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.loading.model_config import depth
from edgevid.errors import ModelError

# A model within models has about five levels for each; beyond this a file exhausts whoever follows it.
MAX_DEPTH = 150
_BUILD = "Build the model in Python, or with model_from_json from the .json that belongs to it, load_weights, save it."


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
        raise ModelError(
            expected="a Keras model (.keras zip or HDF5)", found=f"{what}: {path}", hint=f"{more}", path=path
        )
    try:
        with h5py.File(path, "r") as file:
            config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise ModelError(
            expected="a whole HDF5 file", found=f"a damaged one: {path} ({_line(error)})", path=path
        ) from error
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
    return ModelError(expected="a whole model", found=f"weights only: {path} {why}. {_BUILD}", path=path)


def _read_zip(path: Path) -> Header:
    try:
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json")
            version = _parse(archive.read("metadata.json"), path).get("keras_version", "3")
    # A damaged archive can ask for anything, in the words of whichever module meets it first.
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
            found=f"a damaged or other zip: {path} ({_line(error)})",
            path=path,
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
        raise ModelError(expected=f"a model configuration in JSON in {path}", found=_line(error), path=path) from error
    if not isinstance(value, dict):
        raise ModelError(expected=f"a model configuration in {path}", found=f"{type(value).__name__}", path=path)
    if depth(value) > MAX_DEPTH:
        raise ModelError(
            expected=f"a model configuration of at most {MAX_DEPTH} levels",
            found=f"{depth(value)} in {path}",
            path=path,
        )
    return value


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
