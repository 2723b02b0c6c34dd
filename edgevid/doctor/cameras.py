"""Checks of the cameras that the kernel found, and of the user's permission to open them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edgevid.doctor.finding import Finding, ok
from edgevid.doctor.machine import Host
from edgevid.telemetry.environment import read_text

_NODES = "sys/class/video4linux"
# Video nodes of a Raspberry Pi that are not cameras, but codecs and image signal processors.
# Source: github.com/raspberrypi/linux, drivers/staging/vc04_services (bcm2835-codec, bcm2835-isp),
# drivers/media/platform/raspberrypi (rpi-hevc-dec, pisp_be).
_NO_CAMERAS = ("bcm2835-codec", "bcm2835-isp", "rpi-hevc-dec", "rpivid", "pispbe")
# Receivers of CSI cameras, on boards up to the 4 and on the 5. A node means that a sensor was
# found.
_RECEIVERS = ("unicam", "rp1-cfe")


def cameras(host: Host) -> Finding:
    """List the cameras and check that CSI cameras have their library."""
    names = _cameras(host.root)
    if not names:
        mend = (
            "rpicam-hello --list-cameras   # a CSI camera: check both ends of its cable with the power off\n"
            "lsusb   # a USB camera: try another port"
        )
        return Finding(check="cameras", status="warning", found="the kernel found none", mend=mend)
    # OpenCV cannot read a CSI camera: its sensor needs libcamera, which picamera2 wraps.
    if any(name.startswith(_RECEIVERS) for name in names.values()) and "picamera2" not in host.packages:
        mend = (
            "sudo apt-get install python3-picamera2   "
            "# and create edgevid's environment with: python3 -m venv --system-site-packages"
        )
        return Finding(
            check="cameras", status="fault", found=f"{_listed(names)}, but picamera2 is not installed", mend=mend
        )
    return ok("cameras", _listed(names))


def permissions(host: Host) -> Finding:
    """Check that the user may open the cameras and the firmware's device."""
    nodes = [host.root / "dev" / node for node in _cameras(host.root)]
    # vcgencmd needs /dev/vcio. It belongs to the group `video`, as the cameras do.
    nodes += [path for path in [host.root / "dev/vcio"] if path.exists()]
    closed = [f"/{path.relative_to(host.root)}" for path in nodes if not _may_open(path, host)]
    if closed:
        mend = f"sudo usermod -aG video {host.user.name}   # then log out and in again"
        return Finding(
            check="permissions",
            status="fault",
            found=f"{host.user.name} may open {len(nodes) - len(closed)} of {len(nodes)} devices, "
            f"not {', '.join(closed)}",
            mend=mend,
        )
    count = f"the {len(nodes)} devices" if len(nodes) > 1 else "the device"
    return ok("permissions", f"{host.user.name} may open {count}" if nodes else "no device to open")


def _cameras(root: Path) -> dict[str, str]:
    """Return device node to name, with one node per camera."""
    names: dict[str, str] = {}
    for node in sorted((root / _NODES).glob("video*"), key=lambda path: int("0" + path.name.removeprefix("video"))):
        name = read_text(node / "name") or "unnamed"
        # A camera has several nodes of one name; the first one delivers pictures.
        if not name.startswith(_NO_CAMERAS) and name not in names.values():
            names[node.name] = name
    return names


def _listed(names: dict[str, str]) -> str:
    return ", ".join(f"{name} (/dev/{node})" for node, name in names.items())


def _may_open(path: Path, host: Host) -> bool:
    """Return whether the file's mode lets the user read and write."""
    # Not os.access(), which answers for the process: tests may run as root.
    try:
        status = path.stat()
    except OSError:
        return False
    if host.user.uid == 0:
        return True
    both = os.R_OK | os.W_OK
    mode = stat.S_IMODE(status.st_mode)
    # The kernel checks the first class that matches: owner, then group, then others.
    shift = 6 if status.st_uid == host.user.uid else 3 if status.st_gid in host.user.gids else 0
    return mode >> shift & both == both
