"""Feature sequences that are kept as a folder of rows: `<class>/<sequence>/<frame>.npy`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edgevid.bundle.npy import read_npy
from edgevid.capture.features import FeatureFile
from edgevid.errors import ContractError, SourceError
from edgevid.frames import Array


class RowFolder(FeatureFile):
    """The rows of a sequence, one `.npy` file each, in the order of their numbers.

    Args:
        path: The folder.
        interval_s: Time between two rows, in seconds.

    Raises:
        SourceError: A file holds no row of finite numbers, rows differ in length, or a number is missing.
    """

    def __init__(self, path: Path, *, interval_s: float) -> None:
        self.name, self._interval_s = str(path), interval_s
        self._rows = _read_rows(path)


def gather(files: Iterable[Path], root: Path) -> list[Path]:
    """Replace the files of single rows by the folder that holds their sequence.

    Args:
        files: `.npy` files below `root`, sorted.
        root: The folder of clips. A file of `<class>/<row>.npy` is not replaced: its folder is a class.
    """
    clips: dict[Path, None] = {}
    is_sequence: dict[Path, bool] = {}
    for file in files:
        folder = file.parent
        if folder not in is_sequence:
            is_sequence[folder] = len(file.relative_to(root).parts) > 2 and _is_row(file)
        clips[folder if is_sequence[folder] else file] = None
    return list(clips)


def _is_row(path: Path) -> bool:
    try:
        return read_npy(path.read_bytes()).ndim == 1
    except (OSError, ContractError):
        return False


def _read_rows(folder: Path) -> Array:
    files = sorted(folder.glob("*.npy"), key=lambda path: (_numbers(path), path.name))
    _check_numbers(files, folder)
    rows = [_read_row(path) for path in files]
    lengths = {len(row) for row in rows}
    if len(lengths) != 1:
        raise SourceError(expected="rows of one length", found=f"{sorted(lengths)} numbers in {folder}", path=folder)
    return np.stack(rows)


def _read_row(path: Path) -> Array:
    try:
        row = read_npy(path.read_bytes())
    except (OSError, ContractError) as error:
        raise SourceError(expected="a .npy row of features", found=f"{path}: {error}", path=path) from error
    if row.ndim != 1 or row.size == 0 or row.dtype.kind not in "fiu":
        raise SourceError(expected="a real row of features", got=row.shape, found=f"{row.dtype} {row.shape} in {path}")
    # Numbers beyond float32 become infinity, which the check rejects.
    with np.errstate(over="ignore"):
        values = row.astype(np.float32)
    if not np.isfinite(values).all():
        raise SourceError(expected="finite features", found=f"NaN or infinity in {path}", path=path)
    return values


def _numbers(path: Path) -> list[int]:
    return [int(each) for each in re.findall(r"\d+", path.stem)]


def _check_numbers(files: list[Path], folder: Path) -> None:
    """Reject a sequence of numbered rows that lacks one: its frames would be closer than in training."""
    if not all(path.stem.isdecimal() for path in files):
        return
    numbers = [int(path.stem) for path in files]
    missing = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
    if missing:
        raise SourceError(expected="rows without a gap", found=f"no {missing[0]}.npy in {folder}", path=folder)
