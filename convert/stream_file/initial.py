"""Reads the values that a stream's states start with."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convert.stream_file.pairs import State
from edgevid.bundle.parts import Tensor
from edgevid.errors import UsageError
from edgevid.frames import Array
from edgevid.quant import quantize


def zeros(states: Sequence[State]) -> tuple[Array, ...]:
    """Return states of zero, as stored: the zero point of a grid."""
    return tuple(_stored(np.zeros(state.before.shape), state.before) for state in states)


def read_initial(path: Path, states: Sequence[State]) -> tuple[Array, ...]:
    """Read initial states from an `.npz` file.

    Args:
        path: Its arrays are real numbers under the names of the states' inputs. States that it does not
            name start as zeros.
        states: The states of the stream.

    Returns:
        One array for each state, as stored.

    Raises:
        UsageError: The file cannot be read, names something else, or has another shape than a state.
    """
    arrays = _load(path)
    names = {name for state in states for name in (state.name, state.before.name)}
    unknown = sorted(set(arrays) - names)
    UsageError.unless(
        not unknown, expected="--initial-states", choices=[state.name for state in states], got=", ".join(unknown)
    )
    return tuple(_state(arrays, state, path) for state in states)


def _state(arrays: dict[str, Array], state: State, path: Path) -> Array:
    tensor = state.before
    values = arrays.get(state.name, arrays.get(tensor.name, np.zeros(tensor.shape)))
    if values.shape != tensor.shape or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise UsageError(
            expected=f"finite numbers of shape {tensor.shape} for state {state.name!r}",
            got=values.shape,
            found=f"{values.dtype} {values.shape} in {path}",
            path=path,
        )
    return _stored(values, tensor)


def _stored(values: Array, tensor: Tensor) -> Array:
    return quantize(values, tensor.params)


def _load(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    # AttributeError and TypeError: a single array, as `np.save` writes it, is no archive.
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(
            expected="a .npz file of arrays for --initial-states",
            found=f"{path}, which cannot be read: {' '.join(str(error).split()) or type(error).__name__}",
            path=path,
        ) from error
