"""The target of `--to`: a mounted boot partition, an image file or a card, but no disk of this machine."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import FlashError, UsageError
from edgevid.provision.boot_partition import BootPartition, FatPartition, MountedPartition, Partition, boot_and_root
from edgevid.telemetry.environment import read_text

# The boot partition of this machine; `edgevid install-service` changes that one.
_OWN_BOOT = ("/boot", "/boot/firmware")
_PACKED = (".xz", ".gz", ".zip", ".zst", ".bz2")
# Raspberry Pi OS Lite with packages needs 4 GiB. Backup disks, not cards, are larger than 1024 GiB.
_MIN_CARD_GIB, _MAX_CARD_GIB = 4, 1024
_GIB = 2**30
_SECTOR_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class Target:
    """A destination for `edgevid flash`.

    Attributes:
        what: Description for messages, such as "the card /dev/sda".
        boot: Its boot partition.
        disk: The image file or block device; None for a mounted partition.
        root: Its root partition; None for a mounted partition.
    """

    what: str
    boot: BootPartition
    disk: Path | None = None
    root: Partition | None = None


def open_target(path: Path, *, machine: Path = Path("/")) -> Target:
    """Open a target after checking that it may be written. Nothing is written yet.

    Args:
        path: A folder, a file, or a device.
        machine: Folder that contains `sys` and `proc`.

    Returns:
        The target.

    Raises:
        UsageError: The path does not exist, or is a packed image.
        FlashError: The target must not be written, or is not Raspberry Pi OS.
    """
    if not path.exists():
        raise UsageError(
            expected="a mounted boot partition, an image file or a card after --to",
            found=f"nothing at {path}",
            path=path,
        )
    if path.is_dir():
        return _mounted(path)
    if stat.S_ISBLK(path.stat().st_mode):
        # Resolve links such as /dev/disk/by-id/...: sysfs knows the kernel's name only.
        check_card(path.resolve().name, machine=machine)
        return _disk(path, f"the card {path}")
    if path.suffix in _PACKED:
        raise UsageError(
            expected="an unpacked image",
            got=path.suffix,
            found=path.name,
            hint=f"Run: xz --decompress --keep {path.name}",
            path=path,
        )
    return _disk(path, f"the image {path}")


def check_card(name: str, *, machine: Path = Path("/")) -> None:
    """Reject a block device that is not a card, or is in use.

    Args:
        name: Kernel name of the device, as "sda" or "mmcblk0".
        machine: Folder that contains `sys` and `proc`.

    Raises:
        FlashError: The device is a partition, is mounted, is not removable, or has an unusual size for a card.

    Source: Documentation/ABI/stable/sysfs-block of the kernel for `removable` and `size` (in sectors of 512 bytes).
    """
    facts = machine / "sys/class/block" / name
    if (facts / "partition").exists():
        raise FlashError(
            expected="a whole card",
            got=name,
            found=f"the partition {name}",
            hint="Name the disk, as /dev/sda or /dev/mmcblk0.",
        )
    mounted = _mount_points(name, machine)
    if mounted:
        places = ", ".join(sorted(mounted.values()))
        raise FlashError(
            expected="a card that is not in use",
            got=name,
            found=f"{name}, mounted at {places}",
            hint="Unmount it, or name that folder after --to.",
        )
    # Many USB readers and every built-in reader (mmcblk) report a card as not removable.
    is_usb = "/usb" in str(facts.resolve())
    if read_text(facts / "removable") != "1" and not is_usb and not name.startswith("mmcblk"):
        raise FlashError(
            expected="a card that can be taken out", got=name, found=f"{name}, which is a disk of this machine"
        )
    gib = int(read_text(facts / "size") or 0) * _SECTOR_BYTES / _GIB
    # Makers count in powers of ten, so a "4 GB" card has 3.7 GiB.
    if not _MIN_CARD_GIB * 0.9 <= gib <= _MAX_CARD_GIB:
        raise FlashError(
            expected=f"a card of {_MIN_CARD_GIB} to {_MAX_CARD_GIB} GiB", got=gib, found=f"{name} with {gib:.1f} GiB"
        )


def _mount_points(name: str, machine: Path) -> dict[str, str]:
    """Return the mount point of each mounted device of a disk.

    Source: proc_pid_mountinfo(5): field 5 is the mount point, the second field after " - " the device.
    """
    found = {}
    for line in (read_text(machine / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        source = Path(after.split()[1])
        # A file system such as devtmpfs may have the source "dev", and sysfs has a file `dev` for
        # every disk. Only paths below /dev are devices.
        is_device = source.parent == Path("/dev")
        if is_device and (
            source.name == name or (machine / "sys/class/block" / name / source.name / "partition").exists()
        ):
            found[source.name] = before.split()[4]
    return found


def _mounted(path: Path) -> Target:
    if str(path.resolve()) in _OWN_BOOT:
        raise FlashError(
            expected="the boot partition of another device",
            found=f"{path} of this one",
            hint="Run: edgevid install-service",
            path=path,
        )
    if not os.access(path, os.W_OK):
        raise FlashError(
            expected="a writable folder",
            found=str(path),
            hint="Mount it for your user, or run with sudo.",
            path=path,
        )
    return Target(what=f"the boot partition mounted at {path}", boot=MountedPartition(path))


def _disk(path: Path, what: str) -> Target:
    if not os.access(path, os.R_OK | os.W_OK):
        raise FlashError(
            expected="a writable disk",
            found=str(path),
            hint="Run with sudo, or as a member of the group disk.",
            path=path,
        )
    boot, root = boot_and_root(path)
    return Target(what=what, boot=FatPartition(path, boot), disk=path, root=root)
