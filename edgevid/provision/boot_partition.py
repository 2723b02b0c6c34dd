"""The boot partition of a card: a mounted folder, or the FAT inside an image file or block device.

`MountedPartition` writes through the mounted file system. `FatPartition` writes with mtools and
needs neither root nor a mount. Both flush each file to the medium before `write` returns.
"""

from __future__ import annotations

import contextlib
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
# Partition types in the MBR. Source: https://en.wikipedia.org/wiki/Partition_type
_FAT_TYPES, _LINUX_TYPE = (0x0B, 0x0C, 0x0E), 0x83
_FREE_BYTES = re.compile(r"([\d ]+) bytes free")
# Bounds one call of mtools or debugfs on a card reader that hangs.
_TIMEOUT_S = 600


class BootPartition(Protocol):
    """The operations of `edgevid flash` on a boot partition.

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
        """Write a file, make its folder if necessary, and flush both."""
        ...

    def free_bytes(self) -> int:
        """Return the free space."""
        ...


class MountedPartition:
    """A mounted boot partition.

    Args:
        folder: The mount point.
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
        """Read a file, bypassing the page cache where the kernel allows it."""
        handle = os.open(self._folder / path, os.O_RDONLY)
        with os.fdopen(handle, "rb") as file:
            # Drop the cached pages, or the read-back after a write would only check memory.
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read()

    def write(self, path: str, source: Path) -> None:
        """Write a file next to its destination, flush it, and rename it into place."""
        destination = self._folder / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        written = destination.with_name(f"{destination.name}.new")
        try:
            shutil.copyfile(source, written)
            # FAT has no journal. Flush the data before the rename: after a power cut, the name then
            # refers to either the old content or the new one.
            atomic.flush(written)
            atomic.put(written, destination)
        except OSError as error:
            # A full card or one that was pulled out. It may not let go of the file either.
            with contextlib.suppress(OSError):
                written.unlink(missing_ok=True)
            raise FlashError(
                expected=f"to write {path} to {self.name}",
                found=error.strerror or str(error),
                hint="Try again, or use another card.",
                path=destination,
            ) from error

    def free_bytes(self) -> int:
        """Return the free space of the file system."""
        return shutil.disk_usage(self._folder).free


@dataclass(frozen=True, kw_only=True)
class Partition:
    """An entry of a partition table.

    Attributes:
        start_bytes: Offset on the disk.
        size_bytes: Length.
        kind: MBR partition type, such as 0x0C for FAT32.
    """

    start_bytes: int
    size_bytes: int
    kind: int


class FatPartition:
    """The FAT inside an image file or a block device.

    Args:
        disk: The file or device.
        partition: The location of the FAT.

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
        self._drive = f"{disk}@@{partition.start_bytes}"

    def files(self) -> frozenset[str]:
        """List every file."""
        names = self._mtools("mdir", "-b", "-/", "-a", "::").decode().splitlines()
        return frozenset(name.removeprefix("::/") for name in names if not name.endswith("/"))

    def read(self, path: str) -> bytes:
        """Read a file."""
        return self._mtools("mcopy", "-n", f"::{path}", "-")

    def write(self, path: str, source: Path) -> None:
        """Write a file, replace an existing one, and flush the disk."""
        folder = ""
        for part in Path(path).parts[:-1]:
            folder += f"/{part}"
            # mmd fails on a folder that already exists.
            if not self._mtools("mdir", "-b", f"::{folder}", check=False):
                self._mtools("mmd", "-D", "s", f"::{folder}")
        self._mtools("mcopy", "-D", "o", "-o", str(source), f"::{path}")
        # mtools leaves its writes in the kernel's cache. Any descriptor of the disk can flush them.
        handle = os.open(self._disk, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def free_bytes(self) -> int:
        """Return the free space that mdir reports."""
        free = _FREE_BYTES.search(self._mtools("mdir", "::").decode())
        if free is None:
            raise FlashError(expected=f"a readable FAT file system on {self.name}", found="none", path=self.name)
        # mdir groups digits with spaces: "267 878 400 bytes free".
        return int(free[1].replace(" ", ""))

    def _mtools(self, tool: str, *arguments: str, check: bool = True) -> bytes:
        # Without MTOOLS_SKIP_CHECK mtools rejects a FAT whose size differs from its own computation,
        # as file systems made by other programs may.
        environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": os.devnull, "LC_ALL": "C.UTF-8"}
        result = subprocess.run(
            [tool, "-i", self._drive, *arguments], capture_output=True, env=environment, timeout=_TIMEOUT_S, check=False
        )
        if check and result.returncode != 0:
            reason = (result.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
            raise FlashError(
                expected=f"{tool} to access the boot partition of {self.name}", found=reason, path=self.name
            )
        return result.stdout if result.returncode == 0 else b""


def partitions(disk: Path) -> tuple[Partition, ...]:
    """Read the partition table of a disk.

    Args:
        disk: An image file or a block device.

    Returns:
        The primary partitions in use, in the order of the table.

    Raises:
        FlashError: The disk has no MBR. Images of Raspberry Pi OS have one.

    Source: https://en.wikipedia.org/wiki/Master_boot_record: four entries of 16 bytes at 446, the signature
    55 AA at 510.
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
    table = []
    for entry in range(446, 510, 16):
        kind, start, count = sector[entry + 4], *struct.unpack_from("<II", sector, entry + 8)
        if kind and count:
            table.append(Partition(start_bytes=start * _SECTOR_BYTES, size_bytes=count * _SECTOR_BYTES, kind=kind))
    return tuple(table)


def boot_and_root(disk: Path) -> tuple[Partition, Partition]:
    """Find the two partitions of Raspberry Pi OS.

    Args:
        disk: An image file or a block device.

    Returns:
        The FAT partition and the Linux partition.

    Raises:
        FlashError: The disk has another layout.
    """
    table = partitions(disk)
    if len(table) != 2 or table[0].kind not in _FAT_TYPES or table[1].kind != _LINUX_TYPE:
        kinds = ", ".join(f"{each.kind:#04x}" for each in table) or "none"
        raise FlashError(
            expected=f"a FAT and a Linux partition on {disk}, as Raspberry Pi OS has",
            found=f"the types {kinds}",
            path=disk,
        )
    return table[0], table[1]


def read_root(disk: Path, root: Partition, path: str) -> bytes | None:
    """Read a file of the root file system without mounting it.

    Args:
        disk: An image file or a block device.
        root: The ext4 partition.
        path: Absolute path on the root file system.

    Returns:
        The content, or None if the file is missing or empty, or debugfs (e2fsprogs) is not installed.
    """
    # debugfs is in /usr/sbin, which Debian leaves out of the PATH of an ordinary user.
    tool = shutil.which("debugfs") or shutil.which("debugfs", path="/usr/sbin:/sbin")
    if tool is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "file"
        device = f"{disk}?offset={root.start_bytes}"
        # debugfs exits with 0 even if the file does not exist, so the copy decides.
        subprocess.run(
            [tool, "-R", f"dump {path} {copy}", device], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
        return copy.read_bytes() if copy.is_file() and copy.stat().st_size else None
