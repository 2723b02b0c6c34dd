"""Installation and restart of the service on a device that already runs.

`install` runs the installer of a flashed card's first boot, on the device's own root.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import cast

from edgevid.board import identify
from edgevid.boards_and_cameras import Release
from edgevid.errors import DeployError, FlashError, SlotsError
from edgevid.provision.boot_partition import MountedPartition
from edgevid.provision.deployment import Deployment
from edgevid.provision.device_files import DEVICE_FOLDER, NO_NETWORKS, Networks, Payload, add_device_files, check_bundle
from edgevid.provision.first_boot import OVERLAY_PROGRAM, cmdline_txt, config_txt
from edgevid.provision.raspberry_pi_os import PYTHONS, System
from edgevid.telemetry.environment import read_text

UNIT = "edgevid.service"
# The device name that overlay-root.sh mounts the overlay with.
OVERLAY_DEVICE = "edgevid-overlay"
_CODENAME = re.compile(r"^VERSION_CODENAME=(\w+)$", re.MULTILINE)
# Unpacking the wheels onto a slow card and the self-test of the bundle take minutes.
_INSTALL_TIMEOUT_S = 1800
# Longer than TimeoutStopSec= of the unit, which systemctl waits for.
_RESTART_TIMEOUT_S = 120


def restart() -> None:
    """Restart the service if it runs.

    Raises:
        DeployError: systemd rejects the request or is missing, or the caller has no permission.
    """
    try:
        result = subprocess.run(
            ["systemctl", "try-restart", UNIT], capture_output=True, text=True, timeout=_RESTART_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(expected=f"systemctl to restart {UNIT}", found=str(error)) from error
    if result.returncode != 0:
        raise DeployError(
            expected=f"systemctl to restart {UNIT}",
            got=result.returncode,
            found=result.stderr.strip() or f"exit code {result.returncode}",
            hint="Run the command with sudo.",
        )


def refuse_volatile_root(machine: Path = Path("/"), *, bundles_only: bool = True) -> None:
    """Reject a change that the next boot would discard.

    Args:
        machine: Folder that contains `proc`.
        bundles_only: Whether the change is to bundles alone, which edgevid's own read-only root keeps.

    Raises:
        SlotsError: The root file system is an overlay in memory.

    Source: overlayroot(8), which mounts a device of its name.
    """
    mounts = read_text(machine / "proc/mounts") or ""
    overlay = next(
        (line.split()[0] for line in mounts.splitlines() if line.split()[1] == "/" and line.split()[2] == "overlay"), ""
    )
    # An overlay with another name is not in the table and passes: containers run on one and keep it.
    hints = {"overlayroot": "Run the command in: sudo overlayroot-chroot"}
    if not bundles_only:
        hints[OVERLAY_DEVICE] = (
            f"Remove the word init={OVERLAY_PROGRAM} from /boot/firmware/cmdline.txt and restart the Pi."
        )
    if overlay in hints:
        raise SlotsError(
            expected="a root file system that keeps changes",
            got=overlay,
            found="an overlay in memory",
            hint=hints[overlay],
        )


def check_machine(deployment: Deployment, *, root: Path = Path("/")) -> System:
    """Detect the system of this machine, and reject a deployment for another board.

    Args:
        deployment: The device.
        root: Folder that contains `proc` and `etc`.

    Returns:
        The system.

    Raises:
        FlashError: This is another board, or an unknown release of Raspberry Pi OS.
    """
    board = identify(root)
    if board is None or board.name != deployment.board:
        model = board.model if board else read_text(root / "proc/device-tree/model") or "no Raspberry Pi"
        raise FlashError(expected=f"the {deployment.facts.model} of the deployment", got=model, found=model)
    codename = _CODENAME.search(read_text(root / "etc/os-release") or "")
    name = codename[1] if codename else "no codename"
    if name not in PYTHONS:
        raise FlashError(expected=f"Raspberry Pi OS {' or '.join(PYTHONS)}", got=name, found=name)
    release = cast("Release", name)
    return System(release=release, first_boot="cloud-init", pythons=(PYTHONS[release],), has_picamera=None)


def install(
    deployment: Deployment,
    system: System,
    *,
    root: Path = Path("/"),
    wheelhouse: Path | None = None,
    lock: Path | None = None,
    networks: Networks = NO_NETWORKS,
) -> tuple[str, bool]:
    """Install packages, unit and bundle. Users, keys and network stay as they are.

    Args:
        deployment: The device.
        system: From `check_machine`.
        root: Root of the installation. Nothing is started unless it is "/".
        wheelhouse: Folder with the device's wheels; None downloads them.
        lock: Lock file to use in place of the one in `firmware_configs`.
        networks: The networks of the bundle's key points.

    Returns:
        Output of the installer, and whether the board must restart for its camera or its limits.

    Raises:
        FlashError: The installer failed. The message ends with its last line.
    """
    check_bundle(deployment)
    with tempfile.TemporaryDirectory(prefix="edgevid-install-") as folder:
        payload = Payload(Path(folder))
        add_device_files(payload, deployment, system, wheelhouse=wheelhouse, lock=lock, networks=networks)
        # A folder in the layout of a boot partition, from which install.sh runs unchanged.
        card = MountedPartition(Path(folder) / "card")
        for path, source in payload.in_write_order().items():
            card.write(path, source)
        output = _run_installer(Path(folder) / "card" / DEVICE_FOLDER / "install.sh", root)
    # Last: a failed installation leaves the boot settings as they were.
    return output, _change_boot(deployment, MountedPartition(root / "boot/firmware"))


def _run_installer(script: Path, root: Path) -> str:
    environment = {**os.environ, **({} if root == Path("/") else {"EDGEVID_ROOT": str(root)})}
    result = subprocess.run(
        ["sh", str(script)], env=environment, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False
    )
    if result.returncode != 0:
        last_line = (result.stdout.strip().splitlines() or ["no output"])[-1]
        raise FlashError(
            expected="install.sh to succeed",
            got=result.returncode,
            found=f"exit code {result.returncode}: {last_line}",
        )
    return result.stdout


def _change_boot(deployment: Deployment, boot: MountedPartition) -> bool:
    """Update config.txt and cmdline.txt; return whether either changed."""
    before = {name: boot.read(name).decode() for name in ("config.txt", "cmdline.txt")}
    after = {
        "config.txt": config_txt(deployment, before["config.txt"]),
        "cmdline.txt": cmdline_txt(deployment, before["cmdline.txt"], has_firstrun=False),
    }
    changed = {name: text for name, text in after.items() if text != before[name]}
    for name, text in changed.items():
        with tempfile.NamedTemporaryFile("w") as source:
            source.write(text)
            # `boot.write` reads the file by its name.
            source.flush()
            boot.write(name, Path(source.name))
    return bool(changed)
