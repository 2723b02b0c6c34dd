"""What `--to` names, and whether it may be written: a mounted boot partition, an image file, or a card; never a disk of this machine."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import FlashError, UsageError
from edgevid.provision.boot_partition import BootPartition, FatPartition, MountedPartition, Partition, boot_and_root
from edgevid.telemetry.environment import read_text

# This machine's own: it is prepared by `edgevid install-service`.
_OWN_BOOT = ("/boot", "/boot/firmware")
_PACKED = (".xz", ".gz", ".zip", ".zst", ".bz2")
# A card for a Pi: at least what Raspberry Pi OS Lite unpacks to with room for packages, at most what no card and every backup disk has.
_MIN_CARD_GIB, _MAX_CARD_GIB = 4, 1024
_GIB = 2**30
_SECTOR_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that can be flashed.

    Attributes:
        what: In words.
        boot: Its boot partition.
        disk: The image file or block device; None for a mounted partition.
        root: Its root partition, where there is a disk.
    """

    what: str
    boot: BootPartition
    disk: Path | None = None
    root: Partition | None = None


def open_target(path: Path, *, machine: Path = Path("/")) -> Target:
    """Look at what shall be flashed.

    Args:
        path: A folder, a file, or a device.
        machine: Where `sys` and `proc` lie.

    Returns:
        The target; nothing was written.

    Raises:
        UsageError: There is nothing there.
        FlashError: It must not be written, or is no Raspberry Pi OS.
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
        check_card(path.resolve().name, machine=machine)
        return _disk(path, f"the card {path}")
    if path.suffix in _PACKED:
        raise UsageError(
            expected="an unpacked image",
            got=path.suffix,
            found=f"{path.name}",
            hint=f"Run: xz --decompress --keep {path.name}",
            path=path,
        )
    return _disk(path, f"the image {path}")


def check_card(name: str, *, machine: Path = Path("/")) -> None:
    """Refuse a block device that is no card, or is in use.

    Args:
        name: Of the device, as "sda" or "mmcblk0".
        machine: Where `sys` and `proc` lie.

    Raises:
        FlashError: It is a partition, is mounted, cannot be taken out, or has no size of a card.

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
    mounted = _mounted_from(name, machine)
    if mounted:
        places = ", ".join(sorted(mounted.values()))
        raise FlashError(
            expected="a card that is not in use",
            got=name,
            found=f"{name}, mounted at {places}",
            hint="Unmount it, or give that folder after --to.",
        )
    is_usb = "/usb" in str(facts.resolve())
    if read_text(facts / "removable") != "1" and not is_usb and not name.startswith("mmcblk"):
        raise FlashError(
            expected="a card that can be taken out", got=name, found=f"{name}, which is a disk of this machine"
        )
    gib = int(read_text(facts / "size") or 0) * _SECTOR_BYTES / _GIB
    if not _MIN_CARD_GIB * 0.9 <= gib <= _MAX_CARD_GIB:
        raise FlashError(
            expected=f"a card of {_MIN_CARD_GIB} to {_MAX_CARD_GIB} GiB", got=gib, found=f"{name} with {gib:.1f} GiB"
        )


def _mounted_from(name: str, machine: Path) -> dict[str, str]:
    """Devices of a disk that are mounted, and where. Source: proc_pid_mountinfo(5): field 5 is the place, the second after " - " the device."""
    found = {}
    for line in (read_text(machine / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        source = Path(after.split()[1])
        # Some systems name the source of their /dev "dev", which is also the name of a file that sysfs has for every disk.
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
            expected="a folder that may be written",
            found=f"{path}",
            hint="Mount it for your user, or run with sudo.",
            path=path,
        )
    return Target(what=f"the boot partition mounted at {path}", boot=MountedPartition(path))


def _disk(path: Path, what: str) -> Target:
    if not os.access(path, os.R_OK | os.W_OK):
        raise FlashError(
            expected="a disk that may be written",
            found=f"{path}",
            hint="Run with sudo, or as a member of the group disk.",
            path=path,
        )
    boot, root = boot_and_root(path)
    return Target(what=what, boot=FatPartition(path, boot), disk=path, root=root)
