"""Atomic file writes: a file appears whole or not at all.

A file is written to a temporary name in the same folder and then renamed. rename(2) replaces a name
atomically, so a reader sees the old file or the new one. Source: rename(2), fsync(2); Pillai
et al., "All File Systems Are Not Created Equal", OSDI 2014.
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
    """Yield a temporary path that replaces `path` when the block ends.

    Args:
        path: The destination; an existing file is replaced.
        durable: Whether to flush the file and the rename to disk, against a power cut.

    Yields:
        A path on the same file system, with the same file name. It is removed if the block fails.

    Raises:
        UsageError: If the folder does not exist.
    """
    path = Path(path)
    check_folder(path, suffix=path.suffix)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        # Data first: a journal may commit the rename before the data of the file.
        if durable:
            flush(temporary)
        put(temporary, path, durable=durable)


def write(path: Path, chunks: Iterable[bytes], *, durable: bool = True) -> None:
    """Write a file. A killed process leaves at most `.NAME.new`, which the next call removes.

    Args:
        path: The destination; an existing file is replaced. The owner of its folder owns the file.
        chunks: The content.
        durable: Whether to flush the file and the rename to disk.
    """
    put(prepare(path.with_name(f".{path.name}.new"), chunks, durable=durable), path, durable=durable)


def prepare(path: Path, chunks: Iterable[bytes], *, durable: bool = True) -> Path:
    """Write a temporary file for `put`.

    Args:
        path: The temporary file; a leftover of a killed process is removed first.
        chunks: The content.
        durable: Whether to flush the file to disk.

    Returns:
        `path`.
    """
    path.unlink(missing_ok=True)
    # O_EXCL and O_NOFOLLOW: root must not write through a link that the folder's owner placed here.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        _match_folder_owner(handle, path.parent)
        for chunk in chunks:
            _write_all(handle, chunk)
        if durable:
            os.fsync(handle)
    except BaseException:
        # Half a file would fill the rest of a card that is full already.
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return path


def put(temporary: Path, path: Path, *, durable: bool = True) -> None:
    """Rename a temporary file into place.

    Args:
        temporary: A file on the same file system as `path`.
        path: The destination; an existing file is replaced.
        durable: Whether to flush the rename to disk.
    """
    os.replace(temporary, path)  # noqa: PTH105  # tests that kill the process stop here
    if durable:
        flush(path.parent)


def create_private(path: Path) -> None:
    """Create an empty file that its owner may write, its group may read, and nobody else.

    Args:
        path: A new file; pictures of people are written into it later.

    Raises:
        OSError: The file exists or cannot be created.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640))


def flush(path: Path) -> None:
    """Flush a file, or the directory entries of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY | (os.O_DIRECTORY if path.is_dir() else 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_folder(path: str | Path, *, suffix: str) -> None:
    """Reject an impossible output path; call it before hours of work.

    Args:
        path: The file to write later.
        suffix: The required suffix, such as ".keras".

    Raises:
        UsageError: If the name has another suffix, or the folder does not exist or is read-only.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise UsageError(expected=f"an output file *{suffix}", found=str(path), path=path)
    if not path.parent.is_dir():
        raise UsageError(expected=f"a folder to write {path.name} into", found=f"none at {path.parent}", path=path)
    if not os.access(path.parent, os.W_OK):
        raise UsageError(expected=f"a writable folder for {path.name}", got=str(path.parent), path=path)


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in chunks of at most `CHUNK_BYTES`."""
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def locked(folder: Path, *, name: str = ".lock", wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on a folder; it works between processes that use this function.

    Only the folder's owner and root can hold it. Any user who may read the folder itself could
    lock that.

    Args:
        folder: An existing folder.
        name: File of the lock in the folder. It is created, and never removed.
        wait: Whether to wait for a process that holds the lock.

    Raises:
        BlockingIOError: Another process holds the lock, and `wait` is false.
        OSError: The file cannot be created or opened.
    """
    # O_NOFOLLOW: root must not create a file where a link of the folder's owner points.
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _match_folder_owner(handle, folder)
        # flock(2): the kernel releases the lock if this process dies.
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    # write(2) may write less than it is passed.
    while view:
        view = view[os.write(handle, view) :]


def _match_folder_owner(handle: int, folder: Path) -> None:
    """Let root's file belong to the folder's owner: the service must be able to replace it."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(handle, owner.st_uid, owner.st_gid)
