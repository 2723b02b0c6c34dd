"""Detection of the Raspberry Pi OS on a target, and whether a deployment can start from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from edgevid.boards_and_cameras import Release, boards
from edgevid.errors import FlashError
from edgevid.provision.boot_partition import read_root
from edgevid.provision.deployment import Deployment
from edgevid.provision.releases import check_timezone
from edgevid.provision.target import Target

FirstBoot = Literal["cloud-init", "firstrun"]
PYTHONS: dict[Release, str] = {"bookworm": "3.11", "trixie": "3.13"}
_KERNEL, _KERNELS_32_BIT = "kernel8.img", ("kernel7.img", "kernel7l.img")
_SEED = frozenset({"user-data", "meta-data", "network-config"})
_CODENAME = re.compile(rb"^VERSION_CODENAME=(\w+)$", re.MULTILINE)
_PICAMERA = "/usr/lib/python3/dist-packages/picamera2/__init__.py"


@dataclass(frozen=True, kw_only=True)
class System:
    """The Raspberry Pi OS on a target.

    Attributes:
        release: Codename; None if only the boot partition is visible and does not reveal it.
        first_boot: Mechanism that sets the system up at its first boot.
        pythons: The Python version, as "3.11", or all candidates.
        has_picamera: Whether picamera2 is installed; None if the root is not visible.
    """

    release: Release | None
    first_boot: FirstBoot
    pythons: tuple[str, ...]
    has_picamera: bool | None

    @property
    def words(self) -> str:
        """A description for people."""
        release = self.release or "of a release that its boot partition does not reveal"
        return f"Raspberry Pi OS {release}, set up by {self.first_boot}"


def detect(target: Target, files: frozenset[str]) -> System:
    """Detect the system on a target.

    Args:
        target: The card, image or mounted partition.
        files: Paths on its boot partition.

    Returns:
        The system.

    Raises:
        FlashError: This is not a 64-bit Raspberry Pi OS, or edgevid does not know the release.
    """
    missing = {"config.txt", "cmdline.txt", _KERNEL} - files
    if missing:
        names = ", ".join(sorted(missing))
        raise FlashError(
            expected=f"Raspberry Pi OS in {target.what}", got=sorted(files), found=f"no {names} on its boot partition"
        )
    if files & set(_KERNELS_32_BIT):
        raise FlashError(
            expected=f"Raspberry Pi OS (64-bit) in {target.what}",
            found="the 32-bit one, for which LiteRT has no wheels",
        )
    first_boot: FirstBoot = "cloud-init" if files >= _SEED else "firstrun"
    read_release = _release(target)
    release = read_release or ("trixie" if first_boot == "cloud-init" else None)
    # The first Trixie image has firstrun.sh, too. From its boot partition alone it looks like
    # Bookworm, so the card gets the wheels of both Pythons.
    pythons = (PYTHONS[release],) if release else tuple(PYTHONS.values())
    return System(
        release=release, first_boot=first_boot, pythons=pythons, has_picamera=_has_picamera(target, read_release)
    )


def check_compatible(system: System, deployment: Deployment, files: frozenset[str]) -> None:
    """Reject a system that cannot start on the board, or has no overlay for the camera.

    Args:
        system: From `detect`.
        deployment: The device.
        files: Paths on the boot partition.

    Raises:
        FlashError: The release, the device tree or the overlay does not match.
        DeploymentError: The release lacks the time zone.
    """
    facts, overlay = deployment.facts, deployment.optics.overlay
    if system.release and system.release not in facts.releases:
        raise FlashError(
            expected=f"{' or '.join(facts.releases)} for the board {facts.name!r}",
            got=system.release,
            found=system.release,
        )
    # Without a known release, the card may have any that starts on the board.
    check_timezone(deployment.timezone, of=[system.release] if system.release else facts.releases, is_each=True)
    if not files & set(facts.device_trees):
        known = [each.name for each in boards().values() if files & set(each.device_trees)]
        raise FlashError(
            expected=f"a system for the board {facts.name!r}",
            got=known,
            found=f"one for {', '.join(known) or 'no known board'}",
        )
    if overlay and f"overlays/{overlay}.dtbo" not in files:
        raise FlashError(
            expected=f"the overlay {overlay}.dtbo for the camera {deployment.optics.name!r}",
            found="none on the boot partition",
        )


def _release(target: Target) -> Release | None:
    if target.disk is None or target.root is None:
        return None
    text = read_root(target.disk, target.root, "/usr/lib/os-release")
    codename = _CODENAME.search(text or b"")
    if codename is None:
        return None
    name = codename[1].decode()
    if name not in PYTHONS:
        raise FlashError(
            expected=f"Raspberry Pi OS {' or '.join(get_args(Release))} in {target.what}", got=name, found=name
        )
    return cast("Release", name)


def _has_picamera(target: Target, release: Release | None) -> bool | None:
    # Without a release debugfs could not read the root, and a missing file would prove nothing.
    if target.disk is None or target.root is None or release is None:
        return None
    return read_root(target.disk, target.root, _PICAMERA) is not None
