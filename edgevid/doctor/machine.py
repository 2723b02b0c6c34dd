"""What the checks look at, in one place, so that a test can put another machine there."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGES = (
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "picamera2",
    "paho-mqtt",
    "prometheus-client",
    "websockets",
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who runs this.

    Attributes:
        name: For commands.
        uid: 0 for root, who may do everything.
        gids: All groups.
    """

    name: str
    uid: int
    gids: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine, a user and a Python.

    Attributes:
        root: Where `proc`, `sys`, `dev`, `run` and `usr` lie.
        user: Who would run edgevid.
        python: Its version.
        pointer_bits: Width of its addresses.
        arch: Instruction set, as `uname -m`.
        packages: Version by name, of those that matter and are installed.
        loads: Whether the dynamic linker finds a library of this name.
        free_mib: Free space where edgevid keeps its state.
        year: What the clock says.
    """

    root: Path
    user: Account
    python: tuple[int, int, int]
    pointer_bits: int
    arch: str
    packages: dict[str, str] = field(default_factory=dict)
    loads: Callable[[str], bool]
    free_mib: int
    year: int


def here(root: Path = Path("/")) -> Host:
    """Take this machine, this user and this Python.

    Args:
        root: Where the machine's files lie.

    Returns:
        All that the checks need.
    """
    return Host(
        root=root,
        user=Account(name=_user_name(), uid=os.geteuid(), gids=frozenset({os.getegid(), *os.getgroups()})),
        python=sys.version_info[:3],
        pointer_bits=sys.maxsize.bit_length() + 1,
        arch=platform.machine(),
        packages=dict(filter(None, map(_package, _PACKAGES))),
        loads=_loads,
        free_mib=shutil.disk_usage(Path.home()).free // 2**20,
        year=time.gmtime().tm_year,
    )


def _user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a line in passwd; OSError from Python 3.13 on
        return str(os.geteuid())


def _package(name: str) -> tuple[str, str] | None:
    try:
        return name, importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _loads(library: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
