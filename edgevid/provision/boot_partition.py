"""The boot partition: a folder where it is mounted, or the FAT inside an image file or a card, which is written with mtools and needs no root.

Both are asked the same questions. A write goes to the medium, not to the cache, before it returns.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgevid import atomic
from edgevid.errors import FlashError, MissingDependency

_SECTOR_BYTES = 512
# Types of a FAT partition, and of a Linux one. Source: https://en.wikipedia.org/wiki/Partition_type
_FAT_TYPES, _LINUX_TYPE = (0x0B, 0x0C, 0x0E), 0x83
_FREE = re.compile(r"([\d ]+) bytes free")
_LIMIT_S = 600


class BootPartition(Protocol):
    """What `edgevid flash` reads and writes.

    Attributes:
        name: For messages.
    """

    name: str

    def files(self) -> frozenset[str]:
        """List every file, as "overlays/imx219.dtbo"."""
        ...

    def read(self, path: str) -> bytes:
        """Read a file from the medium."""
        ...

    def write(self, path: str, source: Path) -> None:
        """Write a file; its folder is made where it is not there."""
        ...

    def free_bytes(self) -> int:
        """Give the room that is left."""
        ...


class MountedPartition:
    """A boot partition that is mounted.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def files(self) -> frozenset[str]:
        """List every file."""
        return frozenset(
            path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file()
        )

    def read(self, path: str) -> bytes:
        """Read a file, past the cache where the kernel agrees."""
        handle = os.open(self._folder / path, os.O_RDONLY)
        with os.fdopen(handle, "rb") as file:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read()

    def write(self, path: str, source: Path) -> None:
        """Write beside, flush, rename: a name that is there has its old content or the new one."""
        goal = self._folder / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        written = goal.with_name(f"{goal.name}.new")
        shutil.copyfile(source, written)
        atomic.flush(written)
        atomic.put(written, goal)

    def free_bytes(self) -> int:
        """Ask the file system."""
        return shutil.disk_usage(self._folder).free


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A place on a disk.

    Attributes:
        start_bytes: Where it begins.
        size_bytes: Its length.
        kind: The type in the partition table.
    """

    start_bytes: int
    size_bytes: int
    kind: int


class FatPartition:
    """The FAT inside an image file or a block device.

    Args:
        disk: The file or device.
        partition: Where the FAT is.

    Raises:
        MissingDependency: mtools is not installed.
    """

    def __init__(self, disk: Path, partition: Partition) -> None:
        if shutil.which("mcopy") is None:
            raise MissingDependency(
                expected="mtools, which writes a FAT without mounting it",
                found="none",
                hint="Run: sudo apt install mtools",
            )
        self.name = str(disk)
        self._disk = disk
        self._at = f"{disk}@@{partition.start_bytes}"

    def files(self) -> frozenset[str]:
        """List every file."""
        names = self._mtools("mdir", "-b", "-/", "-a", "::").decode().splitlines()
        return frozenset(name.removeprefix("::/") for name in names if not name.endswith("/"))

    def read(self, path: str) -> bytes:
        """Read a file."""
        return self._mtools("mcopy", "-n", f"::{path}", "-")

    def write(self, path: str, source: Path) -> None:
        """Write a file in place of the one that is there, and flush the disk."""
        folder = ""
        for part in Path(path).parts[:-1]:
            folder += f"/{part}"
            if not self._mtools("mdir", "-b", f"::{folder}", check=False):
                self._mtools("mmd", "-D", "s", f"::{folder}")
        self._mtools("mcopy", "-D", "o", "-o", str(source), f"::{path}")
        handle = os.open(self._disk, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def free_bytes(self) -> int:
        """Ask mdir."""
        found = _FREE.search(self._mtools("mdir", "::").decode())
        if found is None:
            raise FlashError(expected=f"a FAT that can be read on {self.name}", found="none", path=self.name)
        return int(found[1].replace(" ", ""))

    def _mtools(self, tool: str, *arguments: str, check: bool = True) -> bytes:
        # MTOOLS_SKIP_CHECK: a FAT made on another system need not have the size that mtools works out for it.
        environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": os.devnull, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [tool, "-i", self._at, *arguments], capture_output=True, env=environment, timeout=_LIMIT_S, check=False
        )
        if check and done.returncode != 0:
            reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
            raise FlashError(
                expected=f"to read and write the boot partition of {self.name}", found=f"{reason}", path=self.name
            )
        return done.stdout if done.returncode == 0 else b""


def partitions(disk: Path) -> tuple[Partition, ...]:
    """Read a disk's partition table.

    Args:
        disk: An image file or a block device.

    Returns:
        The primary partitions that are there, in order.

    Raises:
        FlashError: It has no MBR, as the images of Raspberry Pi OS have.

    Source: https://en.wikipedia.org/wiki/Master_boot_record: four entries of 16 bytes at 446, the signature 55 AA at 510.
    """
    with disk.open("rb") as file:
        sector = file.read(_SECTOR_BYTES)
    if len(sector) < _SECTOR_BYTES or sector[510:] != b"\x55\xaa":
        raise FlashError(
            expected="a disk with a partition table, as of Raspberry Pi OS",
            found=f"none in {disk}",
            hint="Write the unpacked .img first.",
            path=disk,
        )
    found = []
    for entry in range(446, 510, 16):
        kind, start, count = sector[entry + 4], *struct.unpack_from("<II", sector, entry + 8)
        if kind and count:
            found.append(Partition(start_bytes=start * _SECTOR_BYTES, size_bytes=count * _SECTOR_BYTES, kind=kind))
    return tuple(found)


def boot_and_root(disk: Path) -> tuple[Partition, Partition]:
    """Find the two partitions of Raspberry Pi OS.

    Args:
        disk: An image file or a block device.

    Returns:
        The FAT one and the Linux one.

    Raises:
        FlashError: It is laid out otherwise.
    """
    found = partitions(disk)
    if len(found) != 2 or found[0].kind not in _FAT_TYPES or found[1].kind != _LINUX_TYPE:
        kinds = ", ".join(f"{each.kind:#04x}" for each in found) or "none"
        raise FlashError(
            expected=f"a FAT and a Linux partition on {disk}, as Raspberry Pi OS has",
            found=f"the types {kinds}",
            path=disk,
        )
    return found[0], found[1]


def read_root(disk: Path, root: Partition, path: str) -> bytes | None:
    """Read a file of the root file system, without mounting it.

    Args:
        disk: An image file or a block device.
        root: The ext4 partition.
        path: Of the file, from its root.

    Returns:
        Its bytes; None where there is no such file, or debugfs (e2fsprogs) is not installed.
    """
    tool = shutil.which("debugfs") or shutil.which("debugfs", path="/usr/sbin:/sbin")
    if tool is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "file"
        place = f"{disk}?offset={root.start_bytes}"
        subprocess.run([tool, "-R", f"dump {path} {copy}", place], capture_output=True, timeout=_LIMIT_S, check=False)
        return copy.read_bytes() if copy.is_file() and copy.stat().st_size else None
