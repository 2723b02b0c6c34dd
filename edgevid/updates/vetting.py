"""Vetting: run a bundle's self-test in a child process before the bundle goes live."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from edgevid.errors import SelftestFailed

_LIMIT_S = 600
_NICENESS = 10


def vet(bundle: Path) -> None:
    """Run a bundle's self-test on this machine.

    Raises:
        SelftestFailed: The bundle is invalid, its answers differ, the interpreter crashes, or the
            test takes longer than ten minutes.
    """
    # A child, so that an interpreter that crashes fails the test rather than this process; at low
    # priority, because the classifier in service keeps running.
    command = ["nice", "-n", str(_NICENESS), sys.executable, "-m", "edgevid.cli", "selftest", str(bundle)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise SelftestFailed(
            expected=f"the bundle to pass its self-test within {_LIMIT_S} s", found="no answer", path=bundle
        ) from error
    if done.returncode != 0:
        raise SelftestFailed(
            expected="the bundle to pass its self-test on this machine",
            got=done.returncode,
            found="a failure, so it stays out of service",
            hint=_reason(done),
        )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"The interpreter crashed ({signal.Signals(-done.returncode).name})."
    # The last line of stderr is the command's error message.
    return (done.stderr.strip().splitlines() or [f"Exit code {done.returncode}."])[-1].removeprefix("edgevid: ")
