"""Reads the labels that a `.tflite` file carries: text files in a zip archive behind the model.

Source: https://ai.google.dev/edge/litert/models/metadata
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from edgevid.errors import ModelError

_SUFFIX = ".txt"
# Labels of a bundle have at most as many bytes.
_MAX_BYTES = 2**20


def read_label_files(path: Path) -> tuple[tuple[str, ...], ...]:
    """Read the label files of a `.tflite` file.

    Args:
        path: The file.

    Returns:
        The lines of each text file that the model carries; none without metadata.

    Raises:
        ModelError: The archive is damaged, a file is larger than a mebibyte, or is not UTF-8.
    """
    if not zipfile.is_zipfile(path):
        return ()
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if info.filename.endswith(_SUFFIX)]
            return tuple(_lines(archive, info) for info in infos)
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(
            expected=f"label files of at most {_MAX_BYTES} bytes of UTF-8 behind the model in {path}",
            found=f"damaged metadata: {error}",
            hint="Pass a copy of the file without them, and --labels FILE.",
            path=path,
        ) from error


def _lines(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, ...]:
    with archive.open(info) as member:
        # One byte more: a directory may state less than a member unpacks to.
        data = member.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{info.filename} is larger")
    return tuple(line.strip() for line in data.decode().splitlines() if line.strip())
