"""Whether a bundle may go live on this machine: its self-test, in a process of its own, so that an interpreter that crashes is an answer too."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from edgevid.errors import SelftestFailed

_LIMIT_S = 600
_NICENESS = 10


def vet(bundle: Path) -> None:
    """Let a bundle prove itself on this machine.

    Args:
        bundle: The file.

    Raises:
        SelftestFailed: It is refused, gives other answers, crashes or takes too long.
    """
    # The classifier in service goes on; it comes first.
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
            found="a failure, so that it stays out of service",
            hint=_reason(done),
        )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"The interpreter crashed ({signal.Signals(-done.returncode).name})."
    return (done.stderr.strip().splitlines() or [f"Exit code {done.returncode}."])[-1].removeprefix("edgevid: ")
