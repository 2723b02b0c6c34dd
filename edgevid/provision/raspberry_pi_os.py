"""Which Raspberry Pi OS a target holds, found by looking at it, and whether a deployment can start from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from edgevid.errors import FlashError
from edgevid.firmware import Release, boards
from edgevid.provision.boot_partition import read_root
from edgevid.provision.deployment import Deployment
from edgevid.provision.target import Target

FirstBoot = Literal["cloud-init", "firstrun"]
PYTHONS: dict[Release, str] = {"bookworm": "3.11", "trixie": "3.13"}
_KERNEL, _SMALLER_KERNELS = "kernel8.img", ("kernel7.img", "kernel7l.img")
_SEED = frozenset({"user-data", "meta-data", "network-config"})
_CODENAME = re.compile(rb"^VERSION_CODENAME=(\w+)$", re.MULTILINE)
_PICAMERA = "/usr/lib/python3/dist-packages/picamera2/__init__.py"


@dataclass(frozen=True, kw_only=True)
class System:
    """A Raspberry Pi OS as it lies on a target.

    Attributes:
        release: Its name; None where only a boot partition can be seen, and that does not tell.
        first_boot: How it is told what to do at its first start.
        pythons: The Python it has, or those it may have.
        has_picamera: Whether picamera2 is installed; None where it cannot be seen.
    """

    release: Release | None
    first_boot: FirstBoot
    pythons: tuple[str, ...]
    has_picamera: bool | None

    @property
    def words(self) -> str:
        """The system in words."""
        return f"Raspberry Pi OS {self.release or 'of a release that its boot partition does not tell'}, set up by {self.first_boot}"


def look(target: Target, files: frozenset[str]) -> System:
    """Look at the system on a target.

    Args:
        target: What will be flashed.
        files: Of its boot partition.

    Returns:
        What is there.

    Raises:
        FlashError: It is no 64-bit Raspberry Pi OS, or of a release that edgevid does not know.
    """
    missing = {"config.txt", "cmdline.txt", _KERNEL} - files
    if missing:
        names = ", ".join(sorted(missing))
        raise FlashError(
            expected=f"Raspberry Pi OS in {target.what}", got=sorted(files), found=f"no {names} on its boot partition"
        )
    if files & set(_SMALLER_KERNELS):
        raise FlashError(
            expected=f"Raspberry Pi OS (64-bit) in {target.what}",
            found="the 32-bit one: there are no wheels of LiteRT for it",
        )
    first_boot: FirstBoot = "cloud-init" if files >= _SEED else "firstrun"
    release = _release(target) or ("trixie" if first_boot == "cloud-init" else None)
    # The first Trixie image has firstrun.sh, too; without a look at its root the boot partition does not tell them apart.
    pythons = (PYTHONS[release],) if release else tuple(PYTHONS.values())
    return System(release=release, first_boot=first_boot, pythons=pythons, has_picamera=_has_picamera(target))


def refuse_misfit(system: System, deployment: Deployment, files: frozenset[str]) -> None:
    """Refuse a system from which a deployment would not start, or would not find its camera.

    Args:
        system: What is there.
        deployment: What is asked for.
        files: Of the boot partition.

    Raises:
        FlashError: The board or the camera's overlay is not of this system.
    """
    facts, overlay = deployment.facts, deployment.optics.overlay
    if system.release and system.release not in facts.releases:
        raise FlashError(
            expected=f"{' or '.join(facts.releases)} for the board {facts.name!r}",
            got=system.release,
            found=f"{system.release}",
        )
    if not files & set(facts.device_trees):
        known = [each.name for each in boards().values() if files & set(each.device_trees)]
        raise FlashError(
            expected=f"a system for the board {facts.name!r}",
            got=known,
            found=f"one for {', '.join(known) or 'none that is known'}",
        )
    if overlay and f"overlays/{overlay}.dtbo" not in files:
        camera = deployment.optics.name
        raise FlashError(
            expected=f"the overlay {overlay}.dtbo for the camera {camera!r}", found="none on the boot partition"
        )


def _release(target: Target) -> Release | None:
    if target.disk is None or target.root is None:
        return None
    text = read_root(target.disk, target.root, "/usr/lib/os-release")
    found = _CODENAME.search(text or b"")
    if found is None:
        return None
    name = found[1].decode()
    if name not in PYTHONS:
        raise FlashError(
            expected=f"Raspberry Pi OS {' or '.join(get_args(Release))} in {target.what}", got=name, found=f"{name}"
        )
    return cast("Release", name)


def _has_picamera(target: Target) -> bool | None:
    if target.disk is None or target.root is None or _release(target) is None:
        return None
    return read_root(target.disk, target.root, _PICAMERA) is not None
