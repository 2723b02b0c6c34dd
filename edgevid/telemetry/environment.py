"""What a measurement was taken on: board, processor, clock, operating system, Python, interpreter.

A latency without these is not a result. Every fact is read from a file or a package's metadata; one that the machine does not tell is None.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from edgevid import __version__

_PACKAGES = (
    "numpy",
    "ai-edge-litert",
    "tflite-runtime",
    "opencv-python-headless",
    "opencv-python",
    "tensorflow",
    "keras",
    "tf-keras",
)
_CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"
_KIB_PER_MIB = 1024
# Arm kernels number the core and do not name it. Source: util-linux, sys-utils/lscpu-arm.c, for the cores of Raspberry Pi boards.
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
        board: The device tree's model, as on a Raspberry Pi; None elsewhere.
        cpu: Processor model; None where the machine does not name it.
        arch: Instruction set, as `uname -m`.
        cores: Cores this process may run on.
        governor: Frequency governor of the first core.
        clock_mhz: Its frequency when this was read.
        ram_mib: Memory of the machine.
        os: Name and version of the distribution.
        kernel: Its release.
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
    """Read what the machine tells of itself.

    Args:
        root: Where `proc`, `sys` and `etc` lie.

    Returns:
        The facts; None for each that is not told.
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
    """Give the versions of Python, edgevid and the packages whose version changes results.

    Returns:
        Name to version, of those that are installed.
    """
    import importlib.metadata  # a tenth of the whole import, and needed by reports alone

    found = {"python": platform.python_version(), "edgevid": __version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def rss_mib(status: Path = Path("/proc/self/status")) -> float | None:
    """Read the resident memory of this process.

    Args:
        status: The kernel's account of a process.

    Returns:
        MiB, or None where the kernel does not tell.

    Source: proc_pid_status(5), VmRSS, in KiB.
    """
    text = read_field(status, "VmRSS", ":")
    return int(text.split()[0]) / _KIB_PER_MIB if text else None


def _cpu(cpuinfo: Path) -> str | None:
    part = read_field(cpuinfo, "CPU part", ":") or ""
    return _ARM_PARTS.get(part) or read_field(cpuinfo, "model name", ":") or (f"Arm part {part}" if part else None)


def read_text(path: Path) -> str | None:
    """Read a file of the kernel's.

    Args:
        path: The file.

    Returns:
        Its text without white space around it and without the zero byte with which the device tree ends its strings; None where there is
        nothing to read.
    """
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def read_field(path: Path, name: str, separator: str) -> str | None:
    """Read the value of the first line `name<separator> value`.

    Args:
        path: The file.
        name: What stands before the separator.
        separator: As ":" or "=".

    Returns:
        The value; None where there is no such line.
    """
    for line in (read_text(path) or "").splitlines():
        key, found, value = line.partition(separator)
        if found and key.strip() == name:
            return value.strip() or None
    return None
