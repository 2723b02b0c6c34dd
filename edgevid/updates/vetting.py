"""Vetting: run a bundle's self-test in a child process before the bundle goes live.

A bundle is an untrusted file for an interpreter in C++. The child runs as the user who owns the
bundle's folder, which is the service's on a device, under the service's limit of memory.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgevid.errors import SelftestFailed

_log = logging.getLogger(__name__)
_MIB = 2**20
# For a machine without the service: the memory of a small board.
MEMORY_MIB = 1024
_LIMIT_S = 600
_SYSTEMCTL_S = 30
_NICENESS = 10


def service_memory_mib() -> int:
    """Return the service's limit of memory on this machine, or `MEMORY_MIB` if it has none."""
    try:
        shown = subprocess.run(
            ["systemctl", "show", "--property=MemoryMax", "--value", "edgevid.service"],
            capture_output=True,
            text=True,
            timeout=_SYSTEMCTL_S,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return MEMORY_MIB
    # "infinity" for a unit without a limit, and for one that is not installed.
    return int(shown) // _MIB if shown.isdecimal() else MEMORY_MIB


def vet(bundle: Path, *, memory_mib: int = MEMORY_MIB, limit_s: float = _LIMIT_S) -> None:
    """Run a bundle's self-test on this machine.

    Args:
        bundle: The file.
        memory_mib: Memory that the test may allocate, in MiB.
        limit_s: Time that it may take, in seconds.

    Raises:
        SelftestFailed: The bundle is invalid, its answers differ, the interpreter crashes, or the
            test exceeds a limit.
    """
    try:
        done = subprocess.run(
            _command(bundle.resolve(), memory_mib),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            **_user(bundle.resolve()),
        )
    except subprocess.TimeoutExpired as error:
        raise SelftestFailed(
            expected=f"the bundle to pass its self-test within {limit_s:g} s", found="no answer", path=bundle
        ) from error
    if done.returncode != 0:
        raise SelftestFailed(
            expected="the bundle to pass its self-test on this machine",
            got=done.returncode,
            found="a failure, so it stays out of service",
            hint=_reason(done, memory_mib),
            path=bundle,
        )


def _command(bundle: Path, memory_mib: int) -> list[str]:
    # A child, so that an interpreter that crashes fails the test rather than this process; at low
    # priority, because the classifier in service keeps running.
    return [
        *("nice", "-n", str(_NICENESS)),
        # RLIMIT_DATA counts allocated memory. RLIMIT_AS would count mapped libraries too, which
        # MemoryMax= of the unit does not. A crash must not dump its memory onto the card.
        *("prlimit", f"--data={_allowed_bytes(memory_mib)}", "--core=0", "--"),
        *(sys.executable, "-P", "-m", "edgevid.cli", "selftest", str(bundle)),
    ]


def _allowed_bytes(memory_mib: int) -> int:
    wanted, hard = memory_mib * _MIB, resource.getrlimit(resource.RLIMIT_DATA)[1]
    # Only root may exceed a limit that this process has already.
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _user(bundle: Path) -> dict[str, Any]:
    """Return the options of `subprocess` that change root's child to the owner of the bundle's folder."""
    owner = bundle.parent.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return {}
    options: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    # An installation into a folder, or from a home folder, may be closed to this number.
    words = [sys.executable, "-P", "-c", "import sys, edgevid.cli; open(sys.argv[1]).close()", str(bundle)]
    try:
        reaches = not subprocess.run(words, capture_output=True, check=False, cwd="/", **options).returncode
    except OSError:
        reaches = False
    if not reaches:
        _log.warning("edgevid: user %d cannot reach %s, so root runs the self-test", owner.st_uid, sys.executable)
    return options if reaches else {}


def _reason(done: subprocess.CompletedProcess[str], memory_mib: int) -> str:
    # The last line of stderr is the command's error message, or the exception of a traceback.
    last_line = (done.stderr.strip().splitlines() or [f"Exit code {done.returncode}."])[-1].removeprefix("edgevid: ")
    limit = f"Its limit of memory is {memory_mib} MiB."
    if done.returncode < 0:
        return f"The interpreter crashed ({_signal_name(-done.returncode)}). {limit}"
    return f"It needs more memory. {limit}" if "MemoryError" in last_line else last_line


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Real-time signals have no names.
        return f"signal {number}"
