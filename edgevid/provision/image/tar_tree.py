"""Files that are laid over a tar: the same files give the same tar, and nobody needs to be root to say who owns them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from edgevid.errors import FlashError

BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, folder or link of the device.

    Attributes:
        type: Of `tarfile`: `REGTYPE`, `DIRTYPE` or `SYMTYPE`.
        data: A file's content, or where this machine has it.
        target: A link's.
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


@dataclass(frozen=True)
class Tree:
    """Files by their path on the device, without the leading slash.

    Attributes:
        entries: All of them.
    """

    entries: dict[str, Entry] = field(default_factory=dict)

    def file(self, path: str, data: bytes | str | Path, *, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
        """Add a file.

        Args:
            path: Where.
            data: Its content, or where this machine has it.
            mode: Permission bits.
            owner: User and group.
        """
        content = data.encode() if isinstance(data, str) else data
        self.entries[_clean(path)] = Entry(type=tarfile.REGTYPE, data=content, mode=mode, uid=owner[0], gid=owner[1])

    def folder(self, path: str, *, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None:
        """Add a folder.

        Args:
            path: Where.
            mode: Permission bits.
            owner: User and group.
        """
        self.entries[_clean(path)] = Entry(type=tarfile.DIRTYPE, mode=mode, uid=owner[0], gid=owner[1])

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link.

        Args:
            path: Where.
            target: What it points to.
        """
        self.entries[_clean(path)] = Entry(type=tarfile.SYMTYPE, target=target, mode=0o777)

    def copy(self, source: Path, path: str) -> None:
        """Add a folder of this machine with all that is in it; everything belongs to root.

        Args:
            source: The folder.
            path: Where.
        """
        for each in sorted(source.rglob("*")):
            at = f"{_clean(path)}/{each.relative_to(source).as_posix()}"
            if each.is_symlink():
                self.link(at, str(each.readlink()))
            elif each.is_dir():
                self.folder(at)
            else:
                self.file(at, each, mode=0o755 if each.stat().st_mode & 0o100 else 0o644)

    def with_parents(self) -> dict[str, Entry]:
        """Give all entries and the folders above them.

        Returns:
            In the order of a tar: a folder before what is in it.
        """
        parents = {str(above) for path in self.entries for above in PurePosixPath(path).parents if str(above) != "."}
        folders = {path: Entry(type=tarfile.DIRTYPE, mode=0o755) for path in parents}
        return dict(sorted({**folders, **self.entries}.items()))


def lay_over(base: Path, tree: Tree, out: Path, *, epoch_s: int, left_out: Sequence[str] = ()) -> int:
    """Write a tar with the files of another one and a tree's, which take their place.

    Args:
        base: The tar below.
        tree: The files above.
        out: The new tar.
        epoch_s: The latest time that a file may have.
        left_out: Patterns of paths of the base that are not wanted.

    Returns:
        Bytes that the content takes on a file system with blocks of 4 KiB.

    Raises:
        FlashError: A file of the tree would lie behind a symbolic link of the base.
    """
    above = tree.with_parents()
    used = 0
    with tarfile.open(base) as source, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as target:
        links: set[str] = set()
        below: set[str] = set()
        for member in source:
            name = _clean(member.name)
            if (
                name in (".", "")
                or _is_taken(name, member, tree)
                or any(fnmatchcase(name, pattern) for pattern in left_out)
            ):
                continue
            links |= {name} if member.issym() else set()
            below |= {name}
            member.mtime = min(int(member.mtime), epoch_s)
            member.pax_headers = {key: value for key, value in member.pax_headers.items() if key != "mtime"}
            target.addfile(member, source.extractfile(member) if member.isreg() else None)
            used += _blocks(member.size)
        _refuse_behind(links, above)
        for path, entry in above.items():
            if path not in below:
                used += _blocks(_add(target, path, entry, epoch_s))
    return used


def _is_taken(name: str, member: tarfile.TarInfo, tree: Tree) -> bool:
    """Whether the tree says what is there; a folder that it only passes through stays as it is."""
    return name in tree.entries or member.isdev()


def _refuse_behind(links: set[str], above: dict[str, Entry]) -> None:
    for path, entry in above.items():
        if path in links and entry.type == tarfile.DIRTYPE:
            raise FlashError(expected=f"a folder at /{path} of the device", found="a symbolic link", path=path)


def _add(target: tarfile.TarFile, path: str, entry: Entry, epoch_s: int) -> int:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid, info.mtime, info.linkname = (
        entry.type,
        entry.mode,
        entry.uid,
        entry.gid,
        epoch_s,
        entry.target,
    )
    if isinstance(entry.data, bytes):
        info.size = len(entry.data)
        target.addfile(info, io.BytesIO(entry.data))
    else:
        info.size = entry.data.stat().st_size
        with entry.data.open("rb") as handle:
            target.addfile(info, handle)
    return info.size


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK + BLOCK // 4


def _clean(path: str) -> str:
    return str(PurePosixPath(path.lstrip("/")))


class Archive:
    """A tar to read single files from; folders that are links are followed.

    Args:
        path: The tar, not compressed.
    """

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path)  # noqa: SIM115  # closed by `close`
        self._members = {_clean(member.name): member for member in self._tar}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()

    def names(self, folder: str) -> Iterator[str]:
        """Give the files in a folder, and in the folders in it.

        Args:
            folder: Where.

        Yields:
            Paths, sorted.
        """
        prefix = self._resolve(_clean(folder)) + "/"
        return (name for name in sorted(self._members) if name.startswith(prefix) and self._members[name].isreg())

    def __contains__(self, path: str) -> bool:
        return self._resolve(_clean(path)) in self._members

    def read(self, path: str) -> bytes:
        """Read a file.

        Args:
            path: Where.

        Returns:
            Its content.

        Raises:
            FlashError: There is none.
        """
        member = self._members.get(self._resolve(_clean(path)))
        handle = self._tar.extractfile(member) if member and not member.isdir() else None
        if handle is None:
            raise FlashError(expected=f"/{path} among the packages of the image", found="none", path=path)
        return handle.read()

    def _resolve(self, path: str) -> str:
        """Follow links in the folders of a path, and at its end."""
        done = PurePosixPath()
        for part in PurePosixPath(path).parts:
            done = done / part
            member = self._members.get(str(done))
            if member is not None and member.issym():
                target = (
                    member.linkname.lstrip("/")
                    if member.linkname.startswith("/")
                    else str(done.parent / member.linkname)
                )
                done = PurePosixPath(self._resolve(target))
        return str(done)
