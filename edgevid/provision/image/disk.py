"""A card as a file: a partition table, a FAT and an ext4, written without loop device, mount or root."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevid.provision.image import host_tools

MIB = 1 << 20
SECTOR_BYTES = 512
# Partitioning programs leave this much before the first partition, which suits the erase blocks of
# flash memory. Source: sfdisk(8)
FIRST_MIB = 4
BOOT_LABEL, ROOT_LABEL = "BOOTFS", "rootfs"
# Features of ext4 in Linux 6.1 that every e2fsck since 1.45 knows: the device checks a file system
# that this machine wrote.
FEATURES = (
    "has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum,64bit"
)
# 4 KiB blocks, 256-byte inodes, one inode per 16 KiB, 1 % reserved for root.
_SHAPE = ("-t", "ext4", "-b", "4096", "-I", "256", "-i", "16384", "-m", "1")
_JOURNAL_MIB = 64


@dataclass(frozen=True, kw_only=True)
class DiskIdentity:
    """The identifiers of a card.

    Attributes:
        disk: Signature in the partition table, 8 hexadecimal digits.
        volume: Serial number of the boot partition, 8 hexadecimal digits.
        root: UUID of the root file system.
    """

    disk: str
    volume: str
    root: str


@dataclass(frozen=True, kw_only=True)
class DiskLayout:
    """The sizes of a card's partitions."""

    boot_mib: int
    root_mib: int

    @property
    def root_at_mib(self) -> int:
        """Offset of the root partition."""
        return FIRST_MIB + self.boot_mib

    @property
    def bytes(self) -> int:
        """Size of the whole card."""
        return (self.root_at_mib + self.root_mib) * MIB


def write(
    out: Path,
    layout: DiskLayout,
    identity: DiskIdentity,
    *,
    boot: Mapping[str, bytes],
    root: Path,
    epoch_s: int,
) -> None:
    """Write a card.

    Args:
        out: The file; replaced.
        layout: Sizes of the partitions.
        identity: Identifiers of disk and file systems.
        boot: Files of the boot partition by path.
        root: The root file system as a tar.
        epoch_s: Creation time of the file systems, in seconds since 1970.

    Raises:
        FlashError: A program failed, for example for lack of space.
    """
    out.unlink(missing_ok=True)
    with out.open("xb") as handle:
        # A sparse file: only written blocks take space.
        handle.truncate(layout.bytes)
    _partition(out, layout, identity, epoch_s)
    _fill_boot(out, layout, identity, boot, epoch_s)
    _fill_root(out, layout, identity, root, epoch_s)


def root_mib(used: int, spare_mib: int) -> int:
    """Return the size of a root partition, a multiple of 4 MiB.

    Args:
        used: Bytes of its content, in whole blocks.
        spare_mib: Free space to leave.
    """
    # 4 % for the tables of the file system itself.
    needed_mib = int(used * 1.04) // MIB + _JOURNAL_MIB + spare_mib
    return -(-needed_mib // 4) * 4


def _partition(out: Path, layout: DiskLayout, identity: DiskIdentity, epoch_s: int) -> None:
    table = (
        f"label: dos\nlabel-id: 0x{identity.disk}\n"
        f"start={FIRST_MIB}MiB, size={layout.boot_mib}MiB, type=c, bootable\n"
        f"start={layout.root_at_mib}MiB, size={layout.root_mib}MiB, type=83\n"
    )
    host_tools.run(("sfdisk", "--quiet", out), stdin=table.encode(), epoch_s=epoch_s)


def _fill_boot(out: Path, layout: DiskLayout, identity: DiskIdentity, boot: Mapping[str, bytes], epoch_s: int) -> None:
    drive = f"{out}@@{FIRST_MIB}M"
    sectors = layout.boot_mib * MIB // SECTOR_BYTES
    host_tools.run(
        ("mformat", "-i", drive, "-F", "-T", str(sectors), "-N", identity.volume, "-v", BOOT_LABEL, "::"),
        epoch_s=epoch_s,
    )
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        for name, data in sorted(boot.items()):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        # mcopy -m copies the times of files and folders, so set them after the last write.
        for path in top.rglob("*"):
            os.utime(path, (epoch_s, epoch_s))
        # Sorted: the order of calls is the order of entries in the FAT.
        for path in sorted(top.iterdir()):
            host_tools.run(("mcopy", "-s", "-m", "-Q", "-i", drive, path, "::"), epoch_s=epoch_s)


def _fill_root(out: Path, layout: DiskLayout, identity: DiskIdentity, root: Path, epoch_s: int) -> None:
    # The hash seed of folders is random by default. Lazy initialisation would leave tables for the
    # device's first mount to write.
    extended = ",".join(
        (
            f"offset={layout.root_at_mib * MIB}",
            f"hash_seed={identity.root}",
            "root_owner=0:0",
            "nodiscard",
            "lazy_itable_init=0",
            "lazy_journal_init=0",
        )
    )
    names = ("-L", ROOT_LABEL, "-U", identity.root, "-E", extended)
    host_tools.run(
        # none: mke2fs adds features of its own otherwise.
        ("mke2fs", "-q", "-F", *_SHAPE, "-O", f"none,{FEATURES}", *names, "-d", root, out, f"{layout.root_mib}M"),
        epoch_s=epoch_s,
    )
