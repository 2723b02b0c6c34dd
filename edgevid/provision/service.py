"""The service on a device that already runs: installing it, the way a flashed card does at its first boot, and restarting it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import cast

from edgevid.board import identify
from edgevid.errors import DeployError, FlashError, SlotsError
from edgevid.firmware import Release
from edgevid.provision.boot_partition import MountedPartition
from edgevid.provision.deployment import Deployment
from edgevid.provision.first_boot import OVERLAY_PROGRAM, cmdline_txt, config_txt
from edgevid.provision.payload import OURS, Payload, check_bundle, stage_device
from edgevid.provision.raspberry_pi_os import PYTHONS, System
from edgevid.telemetry.environment import read_text

UNIT = "edgevid.service"
# As overlay-root.sh names it.
OVERLAY_DEVICE = "edgevid-overlay"
_CODENAME = re.compile(r"^VERSION_CODENAME=(\w+)$", re.MULTILINE)
_INSTALL_LIMIT_S = 1800
_RESTART_LIMIT_S = 120


def restart() -> None:
    """Restart the service where it runs.

    Raises:
        DeployError: systemd refuses; it is not there, or the caller may not.
    """
    try:
        done = subprocess.run(
            ["systemctl", "try-restart", UNIT], capture_output=True, text=True, timeout=_RESTART_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(expected=f"systemctl to restart {UNIT}", found=str(error)) from error
    if done.returncode != 0:
        raise DeployError(
            expected=f"to restart {UNIT}",
            got=done.returncode,
            found=str(done.stderr.strip() or done.returncode),
            hint="Run the command with sudo.",
        )


def refuse_volatile_root(machine: Path = Path("/"), *, bundles_only: bool = True) -> None:
    """Refuse to change what the next start will have forgotten.

    Args:
        machine: Where `proc` lies.
        bundles_only: Whether no more than bundles is changed, which edgevid's own read-only root keeps.

    Raises:
        SlotsError: The root file system is an overlay in memory.

    Source: overlayroot(8), which mounts a device of its name.
    """
    mounts = read_text(machine / "proc/mounts") or ""
    overlay = next(
        (line.split()[0] for line in mounts.splitlines() if line.split()[1] == "/" and line.split()[2] == "overlay"), ""
    )
    hints = {"overlayroot": "Run it in: sudo overlayroot-chroot"}
    if not bundles_only:
        hints[OVERLAY_DEVICE] = (
            f"Take the word init={OVERLAY_PROGRAM} out of /boot/firmware/cmdline.txt and start the Pi again."
        )
    if overlay in hints:
        raise SlotsError(
            expected="a root file system that keeps what is written",
            got=overlay,
            found="an overlay in memory",
            hint=hints[overlay],
        )


def check_machine(deployment: Deployment, *, root: Path = Path("/")) -> System:
    """Look at this machine, and refuse it where the deployment is for another.

    Args:
        deployment: What this device shall be.
        root: Where `proc` and `etc` lie.

    Returns:
        Its system.

    Raises:
        FlashError: It is another board, or a Raspberry Pi OS that edgevid does not know.
    """
    found = identify(root)
    if found is None or found.name != deployment.board:
        model = found.model if found else read_text(root / "proc/device-tree/model") or "no Raspberry Pi"
        raise FlashError(expected=f"the {deployment.facts.model} of the deployment", got=model, found=f"{model}")
    codename = _CODENAME.search(read_text(root / "etc/os-release") or "")
    name = codename[1] if codename else "no codename"
    if name not in PYTHONS:
        raise FlashError(expected=f"Raspberry Pi OS {' or '.join(PYTHONS)}", got=name, found=f"{name}")
    release = cast("Release", name)
    return System(release=release, first_boot="cloud-init", pythons=(PYTHONS[release],), has_picamera=None)


def install(
    deployment: Deployment,
    system: System,
    *,
    root: Path = Path("/"),
    wheelhouse: Path | None = None,
    lock: Path | None = None,
) -> tuple[str, bool]:
    """Install packages, unit and bundle, as the first boot of a card does; who may log in and the network stay as they are.

    Args:
        deployment: What this device shall be.
        system: From `check_machine`.
        root: Where to install; nothing is started where it is not "/".
        wheelhouse: A folder with the device's wheels; downloaded where None.
        lock: Pins other than those of `firmware_configs`.

    Returns:
        What the installation said, and whether the board must be started again for its camera or its limits.

    Raises:
        FlashError: The installation failed; its last words are in the message.
    """
    check_bundle(deployment)
    with tempfile.TemporaryDirectory(prefix="edgevid-install-") as place:
        stage = Payload(Path(place))
        stage_device(stage, deployment, system, wheelhouse=wheelhouse, lock=lock)
        card = MountedPartition(Path(place) / "card")
        for path, source in stage.ordered().items():
            card.write(path, source)
        said = _run_installer(Path(place) / "card" / OURS / "install.sh", root)
    return said, _change_boot(deployment, MountedPartition(root / "boot/firmware"))


def _run_installer(script: Path, root: Path) -> str:
    environment = {**os.environ, **({} if root == Path("/") else {"EDGEVID_ROOT": str(root)})}
    done = subprocess.run(
        ["sh", str(script)], env=environment, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S, check=False
    )
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise FlashError(
            expected="the installation to work", got=done.returncode, found=f"exit code {done.returncode}: {last}"
        )
    return done.stdout


def _change_boot(deployment: Deployment, boot: MountedPartition) -> bool:
    """Change config.txt and cmdline.txt where the deployment needs it; whether anything was changed."""
    before = {name: boot.read(name).decode() for name in ("config.txt", "cmdline.txt")}
    after = {
        "config.txt": config_txt(deployment, before["config.txt"]),
        "cmdline.txt": cmdline_txt(deployment, before["cmdline.txt"], has_firstrun=False),
    }
    changed = {name: text for name, text in after.items() if text != before[name]}
    for name, text in changed.items():
        with tempfile.NamedTemporaryFile("w") as source:
            source.write(text)
            source.flush()
            boot.write(name, Path(source.name))
    return bool(changed)
