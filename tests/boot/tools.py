"""The programs of the boot tests: this machine's, or newer ones of scripts/newer_tools.sh in build/tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/boot"
CACHE = Path(os.environ.get("EDGEVID_BOOT_CACHE") or ROOT / "build/cache")
ANSWERS = ROOT / "tests/arm/answers.py"
UNPACKED = ROOT / "build/tools/root"
PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "mcopy": "mtools",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
# QEMU 7.2 crashes in LiteRT and has other device trees. Tested with 10.
QEMU_LEAST = 10


def environment() -> dict[str, str]:
    """Return this process's environment with the newer programs first in PATH."""
    path = [
        str(UNPACKED / "sbin"),
        str(UNPACKED / "usr/sbin"),
        str(UNPACKED / "usr/bin"),
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        "/sbin",
    ]
    found = {**os.environ, "PATH": os.pathsep.join(path), "MTOOLSRC": os.devnull, "TZ": "UTC"}
    if UNPACKED.is_dir():
        machine = f"{os.uname().machine}-linux-gnu"
        found["LD_LIBRARY_PATH"] = os.pathsep.join(
            [str(UNPACKED / "lib" / machine), str(UNPACKED / "usr/lib" / machine)]
        )
    return found


def copy(source: Path, goal: Path) -> Path:
    """Copy a card as a sparse file."""
    goal.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", str(source), str(goal)], check=True)
    return goal


def missing() -> list[str]:
    """Return the packages to install for the missing programs."""
    path = environment()["PATH"]
    return sorted({package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None})


def qemu() -> list[str]:
    """Return the command of the emulator, with the path of its data if it was unpacked."""
    data = UNPACKED / "usr/share/qemu"
    program = shutil.which("qemu-system-aarch64", path=environment()["PATH"])
    assert program is not None
    return [program, *(["-L", str(data)] if data.is_dir() else [])]


def qemu_version() -> int:
    output = subprocess.run(
        [*qemu(), "--version"], capture_output=True, text=True, check=True, env=environment()
    ).stdout
    version = re.search(r"version (\d+)\.", output)
    return int(version[1]) if version else 0
