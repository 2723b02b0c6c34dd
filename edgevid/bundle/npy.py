"""Read numpy's `.npy` and `.npz` from bytes that nobody vouches for: no pickles, and no more memory than the bytes say.

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

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What numpy's header parser and zipfile raise on bytes that are not what they expect.
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
        data: A whole `.npy` file.

    Returns:
        A read-only array over `data`.

    Raises:
        ContractError: It is none, holds objects, or its header asks for another number of bytes than there are.
    """
    stream = io.BytesIO(data)
    try:
        shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
        array: Array = np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    except _ARRAY_FAULTS as error:
        raise ContractError(
            expected="a .npy array", found=f"{len(data)} bytes that are none: {_one_line(error)}"
        ) from error
    if array.shape != shape:
        raise ContractError(expected="a .npy array of a plain shape", got=shape, found=f"{shape}")
    return array


def read_npz(
    data: bytes, *, names: Collection[str], max_bytes: int, optional: Collection[str] = ()
) -> dict[str, Array]:
    """Read a set of arrays.

    Args:
        data: A whole `.npz` file.
        names: The arrays that must be in it, and no others.
        max_bytes: What they may unpack to, together.
        optional: Arrays that may be in it too.

    Returns:
        Each array by its name, read-only.

    Raises:
        ContractError: It is none, holds other arrays, or unpacks to more.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                name: read_npy(_unpack(archive, info))
                for name, info in _checked(archive, names, optional, max_bytes).items()
            }
    except ContractError:
        raise
    except ZIP_FAULTS as error:
        raise ContractError(
            expected="a .npz file", found=f"{len(data)} bytes that are none: {_one_line(error)}"
        ) from error


def _checked(
    archive: zipfile.ZipFile, names: Collection[str], optional: Collection[str], max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    found = [info.filename.removesuffix(".npy") for info in infos]
    if sorted(found) != sorted({*names, *set(optional).intersection(found)}):
        raise ContractError(expected=f"the arrays {sorted(names)}", got=found, found=f"{sorted(found)}")
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise ContractError(expected=f"at most {max_bytes} bytes unpacked", got=total, found=f"{total}")
    if overlap(infos):
        raise ContractError(expected="each array in a place of its own", found="two at one")
    return dict(zip(found, infos, strict=True))


def overlap(infos: Sequence[zipfile.ZipInfo]) -> bool:
    """Tell whether two members of an archive begin at one place, on which Python 3.13 writes a warning to standard error and goes on.

    Args:
        infos: The archive's directory.

    Returns:
        True for an archive that no writer makes.
    """
    return len({info.header_offset for info in infos}) != len(infos)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # A read without a size would inflate all that the stream holds, whatever the directory says.
    with archive.open(info) as member:
        return member.read(info.file_size)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).removesuffix(".")
