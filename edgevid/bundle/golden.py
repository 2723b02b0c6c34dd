"""Golden vectors: frames, and the answers of the converting machine to them.

`docs/bundle-format.md` is the specification.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevid.bundle.manifest import Manifest
from edgevid.bundle.npy import read_npz
from edgevid.errors import ContractError, ManifestInvalid
from edgevid.frames import Array

_ARRAYS, _VALUES = ("frames", "scores", "float_scores", "engine"), "values"


@dataclass(frozen=True)
class Golden:
    """Frames, and the outputs for them on the converting machine.

    Attributes:
        frames: (N, *frame) prepared frames, uint8 or float32; N is at least the window.
        scores: (N - window + 1, classes) float32, the bundle's scores from the first full window on.
        float_scores: (N - window + 1, classes) float32, the trained model's scores for the same windows.
        engine: Name and version of the interpreter that computed `scores` and `values`.
        values: (N - window + 1, V) float32, the bundle's other outputs, in the order of the
            manifest's values. None if the model has none, or the bundle does not prove them.
    """

    frames: Array
    scores: Array
    float_scores: Array
    engine: str
    values: Array | None = None


def golden_bytes(golden: Golden) -> bytes:
    """Return golden vectors as the bytes of an `.npz` file."""
    arrays: dict[str, Any] = {
        "frames": golden.frames,
        "scores": golden.scores,
        "float_scores": golden.float_scores,
        "engine": np.array(golden.engine.encode()),
    }
    if golden.values is not None:
        arrays[_VALUES] = golden.values
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def read_golden(data: bytes, manifest: Manifest, path: Path, *, name: str, max_bytes: int) -> Golden:
    """Read golden vectors and check them against the manifest.

    Args:
        data: The bytes of an `.npz` file; not trusted.
        manifest: The bundle's manifest.
        path: The bundle, for messages.
        name: The member, for messages.
        max_bytes: Limit for the unpacked size of all arrays together.

    Raises:
        ManifestInvalid: If the arrays are unreadable, not finite, or of another shape or dtype than
            the manifest implies.
    """
    try:
        optional = (_VALUES,) if manifest.values else ()
        arrays = read_npz(data, names=_ARRAYS, optional=optional, max_bytes=max_bytes)
    except ContractError as error:
        raise ManifestInvalid(
            expected=f"golden vectors in {name} of {path}", found="unreadable ones", hint=str(error), path=path
        ) from error
    frames, window, spec = arrays["frames"], manifest.window.frames, manifest.input
    # At least one answer, so that a bundle with too few frames fails on the shape of `frames`.
    count = max(len(np.atleast_1d(frames)) - window + 1, 1)
    _check_array(frames, (count + window - 1, *spec.shape), spec.dtype, path)
    for scores in (arrays["scores"], arrays["float_scores"]):
        _check_array(scores, (count, len(manifest.labels)), np.float32, path)
    values = arrays.get(_VALUES)
    if values is not None:
        _check_array(values, (count, sum(value.size for value in manifest.values)), np.float32, path)
    return Golden(frames, arrays["scores"], arrays["float_scores"], _text(arrays["engine"], name, path), values)


def _check_array(array: Array, shape: tuple[int, ...], dtype: type[np.generic], path: Path) -> None:
    if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
        raise ManifestInvalid(
            expected=f"finite golden vectors {dtype.__name__} {shape}, as the manifest says",
            got=array.shape,
            found=f"{array.dtype} {array.shape} in {path}",
            path=path,
        )


def _text(array: Array, name: str, path: Path) -> str:
    invalid = ManifestInvalid(
        expected=f"the engine's name as UTF-8 in {name} of {path}", found=f"{array.dtype} {array.shape}", path=path
    )
    # Bytes ("S"), not numpy's text ("U"), which takes four bytes per character.
    if array.dtype.kind != "S" or array.shape != ():
        raise invalid
    try:
        return str(array.item().decode())
    except UnicodeDecodeError as error:
        raise invalid from error
