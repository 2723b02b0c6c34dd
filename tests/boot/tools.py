"""The programs that these tests need, and where they are: this machine's, or newer ones beside it (scripts/newer_tools.sh)."""

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
    "mcopy": "mtools",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
    "cpio": "cpio",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
# 7.2 crashes in LiteRT and has other device trees; 10 is what was tried.
QEMU_LEAST = 10


def environment() -> dict[str, str]:
    """This process's environment, with the newer programs first."""
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
    """Copy a card and leave its holes out."""
    goal.unlink(missing_ok=True)
    subprocess.run(["cp", "--sparse=always", str(source), str(goal)], check=True)
    return goal


def missing() -> list[str]:
    """Packages that have to be installed."""
    path = environment()["PATH"]
    return sorted({package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None})


def qemu() -> list[str]:
    """The emulator, with its own data where it is unpacked."""
    data = UNPACKED / "usr/share/qemu"
    program = shutil.which("qemu-system-aarch64", path=environment()["PATH"])
    assert program is not None
    return [program, *(["-L", str(data)] if data.is_dir() else [])]


def qemu_version() -> int:
    told = subprocess.run([*qemu(), "--version"], capture_output=True, text=True, check=True, env=environment()).stdout
    found = re.search(r"version (\d+)\.", told)
    return int(found[1]) if found else 0
