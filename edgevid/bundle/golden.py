"""Golden vectors: frames, and the answers that the converting machine had for them. `docs/bundle-format.md` is the specification."""

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
    """Inputs and the outputs the converting machine had for them.

    Attributes:
        frames: (N, *frame) prepared frames, uint8 or float32, N >= the window.
        scores: (N - window + 1, classes) float32: the bundle's answer after each frame from the first full window on.
        float_scores: The same from the trained float model.
        engine: Interpreter and version that made `scores` and `values`.
        values: (N - window + 1, numbers) float32: what the bundle gave beside these scores, the manifest's values one behind the other. None where it gives
            nothing, and where the proof says nothing of it.
    """

    frames: Array
    scores: Array
    float_scores: Array
    engine: str
    values: Array | None = None


def golden_bytes(golden: Golden) -> bytes:
    """Write golden vectors.

    Args:
        golden: They.

    Returns:
        An `.npz` file.
    """
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
    """Read golden vectors and hold them to their manifest.

    Args:
        data: An `.npz` file.
        manifest: Of the bundle.
        path: The bundle, for error messages.
        name: The member, for error messages.
        max_bytes: What the arrays may unpack to, together.

    Returns:
        They.

    Raises:
        ManifestInvalid: They cannot be read, or are of other shapes or types than the manifest says.
    """
    try:
        # Values belong to a model that gives some.
        optional = (_VALUES,) if manifest.values else ()
        arrays = read_npz(data, names=_ARRAYS, optional=optional, max_bytes=max_bytes)
    except ContractError as error:
        raise ManifestInvalid(
            expected=f"golden vectors in {name} of {path}", found="another member", hint=str(error), path=path
        ) from error
    frames, window, spec = arrays["frames"], manifest.window.frames, manifest.input
    count = max(len(np.atleast_1d(frames)) - window + 1, 1)
    _refuse_unfit(frames, (count + window - 1, *spec.shape), spec.dtype, path)
    for scores in (arrays["scores"], arrays["float_scores"]):
        _refuse_unfit(scores, (count, len(manifest.labels)), np.float32, path)
    values = arrays.get(_VALUES)
    if values is not None:
        _refuse_unfit(values, (count, sum(value.size for value in manifest.values)), np.float32, path)
    return Golden(frames, arrays["scores"], arrays["float_scores"], _text(arrays["engine"], name, path), values)


def _refuse_unfit(array: Array, shape: tuple[int, ...], dtype: type[np.generic], path: Path) -> None:
    if array.shape != shape or array.dtype != dtype or not np.isfinite(array).all():
        raise ManifestInvalid(
            expected=f"finite golden vectors {dtype.__name__} {shape}, as the manifest says",
            got=array.shape,
            found=f"{array.dtype} {array.shape} in {path}",
            path=path,
        )


def _text(array: Array, name: str, path: Path) -> str:
    refusal = ManifestInvalid(
        expected=f"the engine's name as UTF-8 in {name} of {path}", found=f"{array.dtype} {array.shape}", path=path
    )
    if array.dtype.kind != "S" or array.shape != ():
        raise refusal
    try:
        return str(array.item().decode())
    except UnicodeDecodeError as error:
        raise refusal from error
