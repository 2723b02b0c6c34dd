"""Files that appear whole or not at all: written under another name in the same folder, then renamed.

rename(2) replaces a name atomically, so a reader sees the old file or the new one. To survive a power cut as well, the data and then the
rename are flushed to the disk (`durable`): without the flush a journal may hold the rename and not the data. Source: fsync(2), rename(2);
Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevid.errors import UsageError

CHUNK_BYTES = 1 << 20


@contextmanager
def replacing(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Provide a path to write a file to, which takes another's name when the block ends.

    Args:
        path: Where the file shall be; one that is there is replaced.
        durable: Flush the file and the rename to the disk.

    Yields:
        A path on the same file system with the same name. It is removed where the block fails.

    Raises:
        UsageError: The folder is not there.
    """
    path = Path(path)
    check_folder(path, suffix=path.suffix)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        written = Path(folder) / path.name
        yield written
        if durable:
            flush(written)
        put(written, path, durable=durable)


def write(path: Path, chunks: Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file. A process that is killed leaves at most `.NAME.new`, which the next call removes.

    Args:
        path: Where to; replaced. The new file belongs to the owner of its folder.
        chunks: Content.
        durable: Flush the file and the rename to the disk.
    """
    put(prepare(path.with_name(f".{path.name}.new"), chunks, durable=durable), path, durable=durable)


def prepare(path: Path, chunks: Iterable[bytes], *, durable: bool = True) -> Path:
    """Write a new file, to be put in place later.

    Args:
        path: Where to; what a killed process left there is removed first.
        chunks: Content.
        durable: Flush it to the disk.

    Returns:
        The path.
    """
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        _give_to_owner(handle, path.parent)
        for chunk in chunks:
            _write_all(handle, chunk)
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    return path


def put(written: Path, path: Path, *, durable: bool = True) -> None:
    """Rename a written file into place.

    Args:
        written: On the same file system.
        path: Its name from now on.
        durable: Flush the rename to the disk.
    """
    os.replace(written, path)  # noqa: PTH105  # tests that kill the process stop here
    if durable:
        flush(path.parent)


def flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk.

    Args:
        path: File or folder.
    """
    handle = os.open(path, os.O_RDONLY | (os.O_DIRECTORY if path.is_dir() else 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_folder(path: str | Path, *, suffix: str) -> None:
    """Reject a place that cannot be written to, before hours of work are put into what shall be written.

    Args:
        path: Where a file shall be.
        suffix: What its name must end in.

    Raises:
        UsageError: The name ends otherwise, or the folder is not there.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise UsageError(expected=f"an output file *{suffix}", found=f"{path}", path=path)
    if not path.parent.is_dir():
        raise UsageError(expected=f"a folder to write {path.name} into", found=f"none at {path.parent}", path=path)


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
    """Keep other processes that lock the folder out; the kernel releases the lock when this one dies.

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
