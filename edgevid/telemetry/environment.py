"""The environment of a measurement: board, processor, clock, operating system and package versions.

Each fact comes from a file of the kernel or from package metadata; a fact that the machine does not
report is None.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevid import __version__

# The release that `pyproject.toml` asks for on both halves; a test holds them equal.
OPENCV_RELEASE = "4.10"
OPENCV_PACKAGES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
_PACKAGES = (
    "numpy",
    "ai-edge-litert",
    "tflite-runtime",
    *OPENCV_PACKAGES,
    "tensorflow",
    "keras",
    "tf-keras",
)
_CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"
_KIB_PER_MIB = 1024
# Arm kernels report the core as a part number.
# Source: util-linux, sys-utils/lscpu-arm.c, for the cores of Raspberry Pi boards.
_ARM_PARTS = {
    "0xb76": "Arm1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Hardware and operating system.

    Attributes:
        board: Model string of the device tree; None without one, as on a PC.
        cpu: Processor model; None if unknown.
        arch: Instruction set, as in `uname -m`.
        cores: Number of cores that this process may use.
        governor: Frequency governor of the first core; None without frequency scaling.
        clock_mhz: Current frequency of the first core; None without frequency scaling.
        ram_mib: Total memory; None if unknown.
        os: Name and version of the distribution.
        kernel: Kernel release.
    """

    board: str | None
    cpu: str | None
    arch: str
    cores: int
    governor: str | None
    clock_mhz: int | None
    ram_mib: int | None
    os: str
    kernel: str


def machine(root: Path = Path("/")) -> Machine:
    """Read the facts of this machine.

    Args:
        root: Parent folder of `proc`, `sys` and `etc`.
    """
    clock_khz = read_text(root / _CPUFREQ / "scaling_cur_freq")
    ram_kib = read_field(root / "proc/meminfo", "MemTotal", ":")
    return Machine(
        board=read_text(root / "proc/device-tree/model"),
        cpu=_cpu(root / "proc/cpuinfo"),
        arch=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        governor=read_text(root / _CPUFREQ / "scaling_governor"),
        clock_mhz=int(clock_khz) // 1000 if clock_khz else None,
        ram_mib=int(ram_kib.split()[0]) // _KIB_PER_MIB if ram_kib else None,
        os=(read_field(root / "etc/os-release", "PRETTY_NAME", "=") or platform.system()).strip('"'),
        kernel=platform.release(),
    )


def versions() -> dict[str, str]:
    """Return the versions of Python, edgevid and the installed packages that affect results, by name."""
    import importlib.metadata  # only reports need it, and it takes a tenth of the import time of edgevid

    installed = {"python": platform.python_version(), "edgevid": __version__}
    for package in _PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def opencv_release(installed: Mapping[str, str]) -> str | None:
    """Return the release of OpenCV, such as "4.10", among versions by package; None if there is none."""
    version = next((installed[name] for name in OPENCV_PACKAGES if name in installed), None)
    return None if version is None else _release(version)


def opencv_difference(made_with: Mapping[str, str]) -> str | None:
    """Describe the difference between the OpenCV of a bundle's conversion and the one on this machine.

    Args:
        made_with: Versions of the software that made the bundle.

    Returns:
        A sentence; None if the releases are equal, or one of them is unknown.
    """
    # Raspberry Pi OS's own package has no metadata for Python, but it is imported by the time of a run.
    imported = getattr(sys.modules.get("cv2"), "__version__", None)
    made, here = opencv_release(made_with), _release(imported) if imported else opencv_release(versions())
    if made is None or here is None or made == here:
        return None
    mend = (
        "Convert the model again."
        if here == OPENCV_RELEASE
        else f"Run: pip install 'opencv-python-headless=={OPENCV_RELEASE}.*'."
    )
    return (
        f"Expected OpenCV {made}, which made the bundle, got {here}: it may decode other colors from the same "
        f"video. {mend}"
    )


def _release(version: str) -> str:
    return ".".join(version.split(".")[:2])


def rss_mib(status: Path = Path("/proc/self/status")) -> float | None:
    """Read the resident memory of this process.

    Args:
        status: The process's status file.

    Returns:
        MiB; None if the kernel does not report it.

    Source: proc_pid_status(5), VmRSS, in KiB.
    """
    text = read_field(status, "VmRSS", ":")
    return int(text.split()[0]) / _KIB_PER_MIB if text else None


def _cpu(cpuinfo: Path) -> str | None:
    part = read_field(cpuinfo, "CPU part", ":") or ""
    return _ARM_PARTS.get(part) or read_field(cpuinfo, "model name", ":") or (f"Arm part {part}" if part else None)


def read_text(path: Path) -> str | None:
    """Read a file of the kernel; return its stripped text, or None if it is missing, unreadable or empty."""
    try:
        # Device tree strings end with a zero byte.
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def read_field(path: Path, name: str, separator: str) -> str | None:
    """Read the value of the first line `name<separator> value`.

    Args:
        path: A text file; it may be missing.
        name: The name before the separator.
        separator: Such as ":" or "=".

    Returns:
        The value; None without such a line, or if it is empty.
    """
    for line in (read_text(path) or "").splitlines():
        key, has_separator, value = line.partition(separator)
        if has_separator and key.strip() == name:
            return value.strip() or None
    return None
