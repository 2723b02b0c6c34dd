"""Reader for untrusted `.npy` and `.npz` bytes: no pickles, and no more memory than the data needs.

Source: NEP 1, https://numpy.org/neps/nep-0001-npy-format.html
"""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Sequence

import numpy as np

from edgevid.errors import ContractError
from edgevid.frames import Array

# `np.load` cannot be used: a header could make it allocate any amount of memory. Version 3.0 is
# left out, since it only adds UTF-8 field names.
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# The exceptions of numpy's header parser, and of zipfile below, for malformed bytes.
_ARRAY_FAULTS = (ValueError, TypeError, KeyError, OverflowError, MemoryError, RecursionError, tokenize.TokenError)
ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    OverflowError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


def read_npy(data: bytes) -> Array:
    """Read one array.

    Args:
        data: The bytes of an `.npy` file.

    Returns:
        A read-only array that shares the memory of `data`.

    Raises:
        ContractError: If `data` is malformed, holds objects, or its length differs from the header's.
    """
    stream = io.BytesIO(data)
    try:
        shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
        array: Array = np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    except _ARRAY_FAULTS as error:
        raise ContractError(
            expected="a .npy array", found=f"{len(data)} bytes that cannot be read: {_one_line(error)}"
        ) from error
    # reshape() would resolve a -1 in the header.
    if array.shape != shape:
        raise ContractError(expected="a .npy array of a plain shape", got=shape)
    return array


def read_npz(
    data: bytes, *, names: Collection[str], max_bytes: int, optional: Collection[str] = ()
) -> dict[str, Array]:
    """Read a set of arrays.

    Args:
        data: The bytes of an `.npz` file.
        names: Names of the required arrays.
        max_bytes: Limit for the unpacked size of all arrays together.
        optional: Names of arrays that may be there too. All others are rejected.

    Returns:
        Read-only arrays by name.

    Raises:
        ContractError: If `data` is malformed, holds other arrays, or unpacks to more than `max_bytes`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = _checked_infos(archive, names, optional, max_bytes)
            return {name: read_npy(_unpack(archive, info)) for name, info in infos.items()}
    except ContractError:  # a ValueError, which ZIP_FAULTS would catch
        raise
    except ZIP_FAULTS as error:
        raise ContractError(
            expected="a .npz file", found=f"{len(data)} bytes that cannot be read: {_one_line(error)}"
        ) from error


def _checked_infos(
    archive: zipfile.ZipFile, names: Collection[str], optional: Collection[str], max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    found = [info.filename.removesuffix(".npy") for info in infos]
    if sorted(found) != sorted({*names, *set(optional).intersection(found)}):
        raise ContractError(expected=f"the arrays {sorted(names)}", got=sorted(found))
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise ContractError(expected=f"at most {max_bytes} bytes unpacked", got=total)
    if has_overlap(infos):
        raise ContractError(expected="arrays that do not overlap", found="two at the same offset")
    return dict(zip(found, infos, strict=True))


def has_overlap(infos: Sequence[zipfile.ZipInfo]) -> bool:
    """Return whether two members of an archive begin at the same offset. No writer makes such an archive."""
    # zipfile does not reject it: Python 3.13 prints a warning to stderr and continues.
    return len({info.header_offset for info in infos}) != len(infos)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # Without a size, read() would inflate the whole stream, whatever size the directory states.
    with archive.open(info) as member:
        return member.read(info.file_size)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).removesuffix(".")
