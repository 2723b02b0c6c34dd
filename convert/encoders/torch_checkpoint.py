"""Read the tensors of a PyTorch checkpoint without PyTorch, and without running what is in it.

A checkpoint of before PyTorch 1.6 is a row of pickles: a magic number, a version, facts about the
machine, the tensors as views of storages, and the storages' names. The storages' bytes follow. A
pickle may name any function to call; this reader knows three, and rejects a file that names others.

Source: `torch.serialization._legacy_save` of PyTorch 1.5.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edgevid.errors import ModelError
from edgevid.frames import Array

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_COUNT = struct.Struct("<q")


@dataclass(frozen=True)
class _Storage:
    """The name and type of a block of numbers that lies behind the pickles."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor as a view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, numbers: Array) -> Array:
        """Return the tensor as its own array.

        Raises:
            ValueError: The view reaches outside of the storage.
        """
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if self.offset < 0 or min((0, *self.strides)) < 0 or min((1, *self.shape)) < 1 or last >= len(numbers):
            raise ValueError(f"a tensor of {self.shape} lies outside of its {len(numbers)} numbers")
        steps = [step * numbers.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, steps).copy()


class _Unpickler(pickle.Unpickler):
    """Builds views of storages, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_rest: _View(storage, offset, tuple(shape), tuple(strides))
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, count, _view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("it names an object that is no storage")
        return _Storage(str(key), dtype, int(count))


def read_tensors(path: str | Path) -> dict[str, Array]:
    """Read all tensors of a checkpoint.

    Args:
        path: A `.pth` file as PyTorch up to 1.5 wrote it.

    Returns:
        float32 and int64 arrays by name, each its own copy.

    Raises:
        ModelError: The file is damaged, is no such checkpoint, or names anything but tensors.
    """
    try:
        with Path(path).open("rb") as file:
            return _read(file)
    # A damaged pickle may end in almost any exception.
    except Exception as error:
        raise ModelError(
            expected="a PyTorch checkpoint that holds tensors alone", found=f"{path}: {error}", path=Path(path)
        ) from error


def _read(file: BinaryIO) -> dict[str, Array]:
    magic, _version, _machine, views, keys = (_Unpickler(file).load() for _ in range(5))
    if magic != _MAGIC:
        raise pickle.UnpicklingError("it has another magic number")
    storages = _read_storages(file, keys, {view.storage.key: view.storage for view in views.values()})
    return {name: view.of(storages[view.storage.key]) for name, view in views.items()}


def _read_storages(file: BinaryIO, keys: list[str], known: Mapping[str, _Storage]) -> dict[str, Array]:
    numbers: dict[str, Array] = {}
    for key in keys:
        storage = known[key]
        (count,) = _COUNT.unpack(file.read(_COUNT.size))
        data = file.read(storage.count * storage.dtype.itemsize)
        if count != storage.count or len(data) != storage.count * storage.dtype.itemsize:
            raise ValueError(f"storage {key} is incomplete")
        numbers[key] = np.frombuffer(data, storage.dtype)
    return numbers
