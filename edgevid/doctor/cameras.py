"""Checks of the cameras that the kernel knows, and whether this user may open them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edgevid.doctor.finding import Finding, ok
from edgevid.doctor.machine import Host
from edgevid.telemetry.environment import read_text

_NODES = "sys/class/video4linux"
# Video nodes of a Raspberry Pi that are no cameras: its codecs and its image signal processors.
# Source: github.com/raspberrypi/linux, drivers/staging/vc04_services (bcm2835-codec, bcm2835-isp), drivers/media/platform/raspberrypi
# (rpi-hevc-dec, pisp_be).
_NO_CAMERAS = ("bcm2835-codec", "bcm2835-isp", "rpi-hevc-dec", "rpivid", "pispbe")
# The receivers behind which a CSI camera lies, on boards up to the 4 and on the 5; there is one only where a sensor was found.
_RECEIVERS = ("unicam", "rp1-cfe")


def cameras(machine: Host) -> Finding:
    """List the cameras.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    found = _cameras(machine.root)
    if not found:
        mend = "rpicam-hello --list-cameras   # a CSI camera: check both ends of its cable with the power off\nlsusb   # a USB camera: another port"
        return Finding(check="cameras", status="warning", found="the kernel knows of none", mend=mend)
    if any(name.startswith(_RECEIVERS) for name in found.values()) and "picamera2" not in machine.packages:
        mend = "sudo apt-get install python3-picamera2   # and make the environment of edgevid with: python3 -m venv --system-site-packages"
        return Finding(
            check="cameras", status="fault", found=f"{_listed(found)}, but picamera2 is not installed", mend=mend
        )
    return ok("cameras", _listed(found))


def permissions(machine: Host) -> Finding:
    """See whether the user may open the cameras and ask the firmware.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    nodes = [machine.root / "dev" / node for node in _cameras(machine.root)]
    nodes += [path for path in [machine.root / "dev/vcio"] if path.exists()]
    closed = [f"/{path.relative_to(machine.root)}" for path in nodes if not _may_open(path, machine)]
    if closed:
        mend = f"sudo usermod -aG video {machine.user.name}   # then log out and in again"
        return Finding(
            check="permissions",
            status="fault",
            found=f"{machine.user.name} may not open {', '.join(closed)}",
            mend=mend,
        )
    return ok(
        "permissions",
        f"{machine.user.name} may open {len(nodes)} of {len(nodes)} devices" if nodes else "no device to open",
    )


def _cameras(root: Path) -> dict[str, str]:
    """Device node to name, of one node for each camera: a camera has several, all of one name."""
    names: dict[str, str] = {}
    for node in sorted((root / _NODES).glob("video*"), key=lambda path: int("0" + path.name.removeprefix("video"))):
        name = read_text(node / "name") or "unnamed"
        if not name.startswith(_NO_CAMERAS) and name not in names.values():
            names[node.name] = name
    return names


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{name} (/dev/{node})" for node, name in found.items())


def _may_open(path: Path, machine: Host) -> bool:
    """Whether the file's mode lets the user read and write, worked out here because a test's root may do everything."""
    try:
        about = path.stat()
    except OSError:
        return False
    if machine.user.uid == 0:
        return True
    both = os.R_OK | os.W_OK
    mode = stat.S_IMODE(about.st_mode)
    shift = 6 if about.st_uid == machine.user.uid else 3 if about.st_gid in machine.user.gids else 0
    return mode >> shift & both == both
