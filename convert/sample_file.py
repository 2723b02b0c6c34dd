"""The file in which a part's representative inputs go to the converter's process, one sample at a time."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from convert.rows import AnyRows
from edgevid.frames import Array


def write_samples(path: Path, inputs: Sequence[AnyRows]) -> None:
    """Write the samples of a part, in the format of `numpy.savez`.

    Args:
        path: The file.
        inputs: For each input of the part its samples (N, *shape).
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for index, rows in enumerate(inputs):
            with archive.open(_member(index), "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": tuple(rows.shape)}
                np.lib.format.write_array_header_1_0(member, header)
                for row in rows:
                    member.write(np.ascontiguousarray(row, "<f4").data)


def read_samples(path: str | Path) -> Iterator[list[Array]]:
    """Yield one sample after the other, each as one array (*shape) float32 per input of the part."""
    with zipfile.ZipFile(path) as archive:
        members = [archive.open(_member(index)) for index in range(len(archive.namelist()))]
        shapes = [_read_shape(member) for member in members]
        for _ in range(min(count for count, *_ in shapes)):
            yield [_read_row(member, row) for member, (_, *row) in zip(members, shapes, strict=True)]


def _member(index: int) -> str:
    # The names that `numpy.savez` gives to arrays without one.
    return f"arr_{index}.npy"


def _read_shape(member: IO[bytes]) -> tuple[int, ...]:
    np.lib.format.read_magic(member)
    shape, _, _ = np.lib.format.read_array_header_1_0(member)
    return tuple(shape)


def _read_row(member: IO[bytes], shape: Sequence[int]) -> Array:
    return np.frombuffer(member.read(4 * math.prod(shape)), "<f4").reshape(shape)
