"""The unit on a device that runs: restarting it, and installing it."""

from __future__ import annotations

import subprocess

from edgevid.errors import DeployError

UNIT = "edgevid.service"


def restart() -> None:
    """Restart the service where it runs.

    Raises:
        DeployError: systemd refuses; it is not there, or the caller may not.
    """
    try:
        done = subprocess.run(["systemctl", "try-restart", UNIT], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(f"Expected systemctl to restart {UNIT}: {error}.") from error
    if done.returncode != 0:
        raise DeployError(f"Expected to restart {UNIT}: {done.stderr.strip() or done.returncode}. Run the command with sudo.", got=done.returncode)
