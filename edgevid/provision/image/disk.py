"""A card as a file: a partition table, a FAT file system for the firmware, and ext4 for the rest. No loop device, no mount, no root."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevid.provision.image import host_tools

MIB = 1 << 20
SECTOR = 512
# What partitioning programs leave before the first partition; flash memory likes it. Source: sfdisk(8)
FIRST_MIB = 4
BOOT_LABEL, ROOT_LABEL = "BOOTFS", "rootfs"
# Of ext4 in Linux 6.1, and of every e2fsck since 1.45: a card that was written here is checked on the device.
FEATURES = "has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum,64bit"


@dataclass(frozen=True, kw_only=True)
class Names:
    """What tells one card from another; the same for the same image.

    Attributes:
        disk: The partition table's, 8 hexadecimal digits.
        volume: The boot partition's, 8 hexadecimal digits.
        root: The root file system's UUID.
    """

    disk: str
    volume: str
    root: str


@dataclass(frozen=True, kw_only=True)
class DiskLayout:
    """Sizes of a card.

    Attributes:
        boot_mib: Of the boot partition.
        root_mib: Of the root partition.
    """

    boot_mib: int
    root_mib: int

    @property
    def root_at_mib(self) -> int:
        """Where the root partition begins."""
        return FIRST_MIB + self.boot_mib

    @property
    def bytes(self) -> int:
        """Size of the whole card."""
        return (self.root_at_mib + self.root_mib) * MIB


def write(out: Path, layout: DiskLayout, names: Names, *, boot: Mapping[str, bytes], root: Path, epoch_s: int) -> None:
    """Write a card.

    Args:
        out: The file; replaced.
        layout: Sizes.
        names: Identities.
        boot: Files of the boot partition by path.
        root: The root file system as a tar.
        epoch_s: The time of everything that the file systems themselves write.

    Raises:
        FlashError: A program failed, for lack of space for one.
    """
    out.unlink(missing_ok=True)
    with out.open("xb") as handle:
        handle.truncate(layout.bytes)
    _partition(out, layout, names, epoch_s)
    _fill_boot(out, layout, names, boot, epoch_s)
    _fill_root(out, layout, names, root, epoch_s)


def root_mib(used: int, spare_mib: int) -> int:
    """Work out the size of a root partition.

    Args:
        used: Bytes of its content, in whole blocks.
        spare_mib: What must be free.

    Returns:
        Whole multiples of 4 MiB, with 4 % for the file system's own tables and 64 MiB for its journal.
    """
    need = int(used * 1.04) // MIB + 64 + spare_mib
    return -(-need // 4) * 4


def _partition(out: Path, layout: DiskLayout, names: Names, epoch_s: int) -> None:
    table = (
        f"label: dos\nlabel-id: 0x{names.disk}\n"
        f"start={FIRST_MIB}MiB, size={layout.boot_mib}MiB, type=c, bootable\n"
        f"start={layout.root_at_mib}MiB, size={layout.root_mib}MiB, type=83\n"
    )
    host_tools.run(("sfdisk", "--quiet", out), stdin=table.encode(), epoch_s=epoch_s)


def _fill_boot(out: Path, layout: DiskLayout, names: Names, boot: Mapping[str, bytes], epoch_s: int) -> None:
    partition = f"{out}@@{FIRST_MIB}M"
    sectors = layout.boot_mib * MIB // SECTOR
    host_tools.run(
        ("mformat", "-i", partition, "-F", "-T", str(sectors), "-N", names.volume, "-v", BOOT_LABEL, "::"),
        epoch_s=epoch_s,
    )
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        for name, data in sorted(boot.items()):
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            (stage / name).write_bytes(data)
        for path in stage.rglob("*"):
            os.utime(path, (epoch_s, epoch_s))
        for path in sorted(stage.iterdir()):
            host_tools.run(("mcopy", "-s", "-m", "-Q", "-i", partition, path, "::"), epoch_s=epoch_s)


def _fill_root(out: Path, layout: DiskLayout, names: Names, root: Path, epoch_s: int) -> None:
    extended = f"offset={layout.root_at_mib * MIB},hash_seed={names.root},root_owner=0:0,nodiscard,lazy_itable_init=0,lazy_journal_init=0"
    shape = ("-t", "ext4", "-b", "4096", "-I", "256", "-i", "16384", "-m", "1", "-O", f"none,{FEATURES}")
    host_tools.run(
        (
            "mke2fs",
            "-q",
            "-F",
            *shape,
            "-L",
            ROOT_LABEL,
            "-U",
            names.root,
            "-E",
            extended,
            "-d",
            root,
            out,
            f"{layout.root_mib}M",
        ),
        epoch_s=epoch_s,
    )
