"""The guard's entry points: one for each kind of model file."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path

from convert.frameworks import internals
from convert.frameworks.messages import reason_of
from convert.guard.configuration import ConfigurationGuard
from convert.guard.findings import Finding, unsafe_error
from convert.guard.saved_model import graph_findings, layer_findings
from convert.guard.weights import archive_findings, hdf5_findings
from edgevid.errors import ModelError

# In the messages with which the frameworks reject a file for safety.
_REFUSALS = ("safe_mode", "safe mode", "unsafe", "disallowed", "KerasSaveable")


def configuration_guard(custom: Collection[str] = ()) -> ConfigurationGuard:
    """Return the guard of configurations.

    Args:
        custom: Names of the user's own classes and functions, which are allowed.
    """
    return ConfigurationGuard(custom, is_operator=internals.is_operator_class, operator_of=internals.operator_of)


def check_weights(path: Path) -> None:
    """Reject a file whose weights are not all inside of it.

    Args:
        path: A `.keras` or HDF5 file.

    Raises:
        ModelError: The file refers to other files, claims more data than it holds, or is damaged.
    """
    try:
        found = archive_findings(path) if zipfile.is_zipfile(path) else hdf5_findings(path)
    # HDF5 and zip readers raise all of these for damaged files.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ModelError(
            expected="whole weights", found=f"damaged ones: {path} ({reason_of(error)})", path=path
        ) from error
    if found:
        raise unsafe_error(found, path)


def check_saved_model(path: Path, *, custom: Collection[str] = ()) -> tuple[Finding, ...]:
    """Reject a SavedModel that could act when it is loaded or runs.

    Args:
        path: The folder.
        custom: Names of the user's own classes and functions, which are allowed.

    Returns:
        What the descriptions of its layers name and may not. The layers must not be loaded then, but
        the exported function may.

    Raises:
        ModelError: Its graph holds an operator that is not allowed, its layers hold code, or it cannot
            be parsed.
    """
    try:
        graph, layers = graph_findings(path), layer_findings(path, configuration_guard(custom))
    except OSError as error:
        raise ModelError(
            expected="a SavedModel that TensorFlow can parse", found=f"{path}: {reason_of(error)}", path=path
        ) from error
    code = [each for each in layers if each.kind == "code"]
    if graph or code:
        raise unsafe_error([*code, *graph], path)
    return tuple(layers)


def is_refusal(error: Exception) -> bool:
    """Return whether a framework rejected a file for safety. Then no other way to load it is tried."""
    return any(words in str(error) for words in _REFUSALS)
