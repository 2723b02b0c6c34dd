"""Checkpoints as PyTorch up to 1.5 wrote them, written without PyTorch."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C


def write_checkpoint(path: Path, tensors: dict[str, np.ndarray], *, offset: int = 0) -> Path:
    """Write float32 tensors; `offset` moves each view within its storage."""
    file = io.BytesIO()
    for value in (MAGIC, 1001, {"little_endian": True}):
        pickle.dump(value, file, 2)
    file.write(_views(tensors, offset))
    keys = [str(number) for number in range(len(tensors))]
    pickle.dump(keys, file, 2)
    for tensor in tensors.values():
        data = tensor.astype("<f4").tobytes()
        file.write(struct.pack("<q", len(data) // 4) + data)
    path.write_bytes(file.getvalue())
    return path


def _views(tensors: dict[str, np.ndarray], offset: int) -> bytes:
    """Pickle views through stand-ins for PyTorch's names, which are gone when the file is read."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2 = _named_function()
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        return _dump(tensors, offset, torch.FloatStorage, utils._rebuild_tensor_v2)
    finally:
        del sys.modules["torch"], sys.modules["torch._utils"]


def _named_function():
    def _rebuild_tensor_v2(*_args):
        raise AssertionError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    return _rebuild_tensor_v2


class _Storage:
    def __init__(self, key: str, count: int) -> None:
        self.key, self.count = key, count


class _View:
    def __init__(self, rebuild, arguments) -> None:
        self.rebuild, self.arguments = rebuild, arguments

    def __reduce__(self):
        return self.rebuild, self.arguments


def _dump(tensors, offset, storage_class, rebuild) -> bytes:
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", storage_class, obj.key, "cpu", obj.count, None) if isinstance(obj, _Storage) else None

    views = OrderedDict()
    for number, (name, tensor) in enumerate(tensors.items()):
        strides = tuple(step // tensor.itemsize for step in tensor.strides)
        arguments = (_Storage(str(number), tensor.size), offset, tensor.shape, strides, False, OrderedDict())
        views[name] = _View(rebuild, arguments)
    Pickler(file, 2).dump(views)
    return file.getvalue()
