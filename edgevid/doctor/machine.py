"""The facts that the checks read, collected in one object that tests can replace."""

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

from edgevid.telemetry.environment import OPENCV_PACKAGES

# Packages that the checks mention: interpreters first, then cameras, then outputs.
_PACKAGES = (
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    *OPENCV_PACKAGES,
    "picamera2",
    "paho-mqtt",
    "prometheus-client",
    "websockets",
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user who runs edgevid.

    Attributes:
        name: Login name, for commands.
        uid: User ID; 0 for root, who may open everything.
        gids: IDs of all groups of the user.
    """

    name: str
    uid: int
    gids: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine with a user and a Python.

    Attributes:
        root: Folder with `proc`, `sys`, `dev`, `run` and `usr`.
        user: User who would run edgevid.
        python: Version of Python.
        pointer_bits: Width of Python's addresses.
        arch: Instruction set, as `uname -m`.
        packages: Version by name of the relevant installed packages.
        loads: Returns whether the dynamic linker loads a library.
        free_mib: Free space on the disk of `$EDGEVID_STATE`, else of the home folder.
        year: Year by the system clock, UTC.
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


def current_host(root: Path = Path("/")) -> Host:
    """Return this machine with the current user and Python.

    Args:
        root: Root of the machine's files.
    """
    return Host(
        root=root,
        user=Account(name=_user_name(), uid=os.geteuid(), gids=frozenset({os.getegid(), *os.getgroups()})),
        python=sys.version_info[:3],
        pointer_bits=sys.maxsize.bit_length() + 1,  # sys.maxsize is signed
        arch=platform.machine(),
        packages=dict(filter(None, map(_package, _PACKAGES))),
        loads=_loads,
        free_mib=shutil.disk_usage(_state_folder()).free // 2**20,
        year=time.gmtime().tm_year,
    )


def _state_folder() -> Path:
    """Return the folder that edgevid writes to, or the nearest one above it that exists."""
    state = os.environ.get("EDGEVID_STATE")
    wanted = Path(state).absolute() if state else Path.home()
    return next(folder for folder in (wanted, *wanted.parents) if folder.is_dir())


def _user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in passwd, as in a container; OSError from Python 3.13 on
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
