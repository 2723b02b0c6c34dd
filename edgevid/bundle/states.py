"""Initial states: the values that the states of a step start with, where they are not zeros.

`docs/reference/bundle-format.md` is the specification.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevid.bundle.npy import read_npz
from edgevid.bundle.parts import Part, Tensor
from edgevid.errors import ContractError, ManifestInvalid
from edgevid.frames import Array


def states_bytes(states: Sequence[Array]) -> bytes:
    """Return initial states as the bytes of an `.npz` file.

    Args:
        states: One array for each state of the step, as stored.
    """
    stream = io.BytesIO()
    np.savez_compressed(stream, **dict(zip(_names(len(states)), states, strict=True)))  # type: ignore[arg-type]
    return stream.getvalue()


def read_states(data: bytes, part: Part, path: Path | None, *, max_bytes: int) -> tuple[Array, ...]:
    """Read initial states and check them against their step.

    Args:
        data: The bytes of an `.npz` file; not trusted.
        part: The step.
        path: The bundle, for messages.
        max_bytes: Limit for the unpacked size of all arrays together.

    Returns:
        One read-only array for each state, as stored.

    Raises:
        ManifestInvalid: If the arrays are unreadable, not finite, or of another shape or dtype than
            the step's states.
    """
    tensors = part.states_before
    names = _names(len(tensors))
    try:
        arrays = read_npz(data, names=names, max_bytes=max_bytes)
    except ContractError as error:
        raise ManifestInvalid(
            expected=f"initial states in {part.initial_states} of {path}",
            found="unreadable ones",
            hint=str(error),
            path=path,
        ) from error
    states = tuple(arrays[name] for name in names)
    for state, tensor in zip(states, tensors, strict=True):
        _check(state, tensor, path)
    return states


def _names(count: int) -> list[str]:
    # By place: the name of a tensor may hold what no member of an archive should.
    return [f"state_{index}" for index in range(count)]


def _check(state: Array, tensor: Tensor, path: Path | None) -> None:
    if state.shape != tensor.shape or state.dtype != tensor.dtype or not np.isfinite(state).all():
        raise ManifestInvalid(
            expected=f"a finite initial state {tensor.dtype} {tensor.shape}, as the manifest says",
            got=state.shape,
            found=f"{state.dtype} {state.shape} in {path}",
            path=path,
        )
