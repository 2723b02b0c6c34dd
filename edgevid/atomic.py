"""Files that survive a power cut: written beside, flushed to the card, renamed, and the rename flushed too.

After a cut there is the old file or the new one, never half of one: rename(2) replaces atomically, and ext4 and FAT keep what was flushed
before it. Without the flush a journal may hold the rename and not the data. Source: fsync(2), rename(2); Pillai et al., "All File Systems
Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK_BYTES = 1 << 20


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file, whole or not at all.

    Args:
        path: Where to; replaced atomically. Belongs to the owner of its folder.
        chunks: What.
    """
    beside = prepare(path.with_name(f".{path.name}.new"), chunks)
    put(beside, path)


def prepare(path: Path, chunks: Iterable[bytes]) -> Path:
    """Write a new file and flush it.

    Args:
        path: Where to; what a killed process left there goes first.
        chunks: What.

    Returns:
        The path.
    """
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        _give_to_owner(handle, path.parent)
        for chunk in chunks:
            _write_all(handle, chunk)
        os.fsync(handle)
    finally:
        os.close(handle)
    return path


def put(beside: Path, path: Path) -> None:
    """Rename a prepared file into place and flush the rename.

    Args:
        beside: From `prepare`, in the same folder.
        path: Its name.
    """
    os.replace(beside, path)  # noqa: PTH105  # what the tests of a killed process stop at
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def chunks_of(path: Path) -> Iterator[bytes]:
    """Read a file piece by piece.

    Args:
        path: The file.

    Yields:
        At most `CHUNK_BYTES` each.
    """
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes that lock the folder out; the kernel lets go of the lock when this one dies.

    Args:
        folder: Needs to be readable only.

    Yields:
        While it is locked.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _give_to_owner(handle: int, folder: Path) -> None:
    """What root writes for the service belongs to the service, which must be able to replace it."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(handle, owner.st_uid, owner.st_gid)
