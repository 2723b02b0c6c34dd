"""Reproducible tars: files laid over a base tar, with owners and modes that need no root to set."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from edgevid.errors import FlashError

BLOCK_BYTES = 4096
# An inode takes 256 bytes. A quarter of a block per entry covers it, with room for names in folders.
_ENTRY_BYTES = BLOCK_BYTES // 4


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, folder or link of the device.

    Attributes:
        type: A constant of `tarfile`: `REGTYPE`, `DIRTYPE` or `SYMTYPE`.
        data: Content of a file, or a file of this machine that has it.
        target: Target of a link.
        mode: Permission bits.
        uid: Owner.
        gid: Group.
    """

    type: bytes
    data: bytes | Path = b""
    target: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    def header(self, path: str, epoch_s: int) -> tarfile.TarInfo:
        """Return the tar header for a path, with a fixed time in place of the build's."""
        info = tarfile.TarInfo(path)
        info.type, info.linkname, info.mtime = self.type, self.target, epoch_s
        info.mode, info.uid, info.gid = self.mode, self.uid, self.gid
        info.size = self.data.stat().st_size if isinstance(self.data, Path) else len(self.data)
        return info

    def open(self) -> IO[bytes]:
        """Open the content; the caller closes it."""
        return self.data.open("rb") if isinstance(self.data, Path) else io.BytesIO(self.data)


@dataclass(frozen=True)
class Tree:
    """Files by their path on the device, without the leading slash.

    Attributes:
        entries: Path to entry; folders are optional.
    """

    entries: dict[str, Entry] = field(default_factory=dict)

    def file(self, path: str, data: bytes | str | Path, *, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
        """Add a file.

        Args:
            path: Path on the device.
            data: The content, or a file of this machine that has it.
            mode: Permission bits.
            owner: User and group number.
        """
        content = data.encode() if isinstance(data, str) else data
        self.entries[_clean(path)] = Entry(type=tarfile.REGTYPE, data=content, mode=mode, uid=owner[0], gid=owner[1])

    def folder(self, path: str, *, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None:
        """Add a folder.

        Args:
            path: Path on the device.
            mode: Permission bits.
            owner: User and group number.
        """
        self.entries[_clean(path)] = Entry(type=tarfile.DIRTYPE, mode=mode, uid=owner[0], gid=owner[1])

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self.entries[_clean(path)] = Entry(type=tarfile.SYMTYPE, target=target, mode=0o777)

    def copy(self, source: Path, path: str) -> None:
        """Add the content of a folder of this machine, owned by root.

        Args:
            source: The folder.
            path: Path on the device.
        """
        for each in sorted(source.rglob("*")):
            device_path = f"{_clean(path)}/{each.relative_to(source).as_posix()}"
            if each.is_symlink():
                self.link(device_path, str(each.readlink()))
            elif each.is_dir():
                self.folder(device_path)
            else:
                # Only the executable bit: other bits depend on the umask of the build.
                self.file(device_path, each, mode=0o755 if each.stat().st_mode & 0o100 else 0o644)

    def with_parents(self) -> dict[str, Entry]:
        """Return all entries and their parent folders, each folder before its content."""
        parents = {str(above) for path in self.entries for above in PurePosixPath(path).parents if str(above) != "."}
        folders = {path: Entry(type=tarfile.DIRTYPE, mode=0o755) for path in parents}
        return dict(sorted({**folders, **self.entries}.items()))


def lay_over(base: Path, tree: Tree, out: Path, *, epoch_s: int, left_out: Sequence[str] = ()) -> int:
    """Write a tar with the entries of a base tar and a tree. The tree's entries replace the base's.

    Args:
        base: The base tar.
        tree: The files above it.
        out: The new tar.
        epoch_s: Latest modification time of an entry, in seconds since 1970.
        left_out: Patterns of paths of the base to omit, as in `fnmatch`.

    Returns:
        Bytes that the entries need on a file system with blocks of 4 KiB.

    Raises:
        FlashError: A folder of the tree is a symbolic link in the base.
    """
    used = 0
    with tarfile.open(base) as source, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as target:
        for info, content in _merge(source, tree, epoch_s=epoch_s, left_out=left_out):
            target.addfile(info, content)
            used += _size_on_disk(info.size)
    return used


def _merge(
    source: tarfile.TarFile, tree: Tree, *, epoch_s: int, left_out: Sequence[str]
) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield the members of the base in their order, then the tree's entries that the base lacks."""
    above = tree.with_parents()
    below: set[str] = set()
    links: set[str] = set()
    for member in source:
        name = _clean(member.name)
        # The tree's own entries replace the base's. A folder that the tree only passes through is
        # in `above` but not in `tree.entries`: it keeps the owner and mode of the base.
        if name in tree.entries or _is_unwanted(name, member, left_out):
            continue
        below.add(name)
        if member.issym():
            links.add(name)
        yield _limit_time(member, epoch_s), source.extractfile(member) if member.isreg() else None
    _reject_links(links, above)
    for path, entry in above.items():
        if path not in below:
            with entry.open() as content:
                yield entry.header(path, epoch_s), content


def _is_unwanted(name: str, member: tarfile.TarInfo, left_out: Sequence[str]) -> bool:
    # The device's kernel fills /dev itself (devtmpfs), so device nodes are not needed.
    is_root = name in (".", "")
    return is_root or member.isdev() or any(fnmatchcase(name, pattern) for pattern in left_out)


def _limit_time(member: tarfile.TarInfo, epoch_s: int) -> tarfile.TarInfo:
    """Limit the modification time, in whole seconds, so that the day of a build leaves no trace."""
    member.mtime = min(int(member.mtime), epoch_s)
    # A PAX header with the original time would take precedence over `mtime`.
    member.pax_headers = {key: value for key, value in member.pax_headers.items() if key != "mtime"}
    return member


def _reject_links(links: set[str], above: dict[str, Entry]) -> None:
    """Reject a folder of the tree that is a link in the base, which would redirect its files."""
    for path, entry in above.items():
        if path in links and entry.type == tarfile.DIRTYPE:
            raise FlashError(expected=f"a folder at /{path} of the device", found="a symbolic link", path=path)


def _size_on_disk(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES + _ENTRY_BYTES


def _clean(path: str) -> str:
    return str(PurePosixPath(path.lstrip("/")))


class Archive:
    """An uncompressed tar for reading single files. Paths may pass through links to folders.

    Args:
        path: The tar.
    """

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path)  # noqa: SIM115  # closed by `__exit__`
        self._members = {_clean(member.name): member for member in self._tar}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def names(self, folder: str) -> Iterator[str]:
        """Return the paths of all files below a folder, sorted.

        Args:
            folder: Path on the device.
        """
        prefix = self._resolve(_clean(folder)) + "/"
        return (name for name in sorted(self._members) if name.startswith(prefix) and self._members[name].isreg())

    def __contains__(self, path: str) -> bool:
        return self._resolve(_clean(path)) in self._members

    def read(self, path: str) -> bytes:
        """Read a file.

        Args:
            path: Path on the device.

        Raises:
            FlashError: There is no such file.
        """
        member = self._members.get(self._resolve(_clean(path)))
        handle = self._tar.extractfile(member) if member and not member.isdir() else None
        if handle is None:
            raise FlashError(expected=f"/{path} among the packages of the image", found="none", path=path)
        return handle.read()

    def _resolve(self, path: str) -> str:
        """Follow the links in a path: Debian's /bin and /lib are links into /usr."""
        resolved = PurePosixPath()
        for part in PurePosixPath(path).parts:
            resolved = resolved / part
            member = self._members.get(str(resolved))
            if member is not None and member.issym():
                is_absolute = member.linkname.startswith("/")
                target = member.linkname.lstrip("/") if is_absolute else str(resolved.parent / member.linkname)
                resolved = PurePosixPath(self._resolve(target))
        return str(resolved)
