"""Deploy a bundle to a device over ssh and wait until the device confirms it.

The system's `ssh` connects, with the user's keys, agent and configuration. It never prompts: a
missing key is an error.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgevid.errors import DeployError, SelftestFailed, SlotsError
from edgevid.schema import from_toml
from edgevid.updates.state import State
from edgevid.updates.stored import sha256

# -P: without it, root would run an argparse.py of the folder that ssh starts in.
PROGRAM = "sudo /opt/edgevid/current/bin/python -P -m edgevid.cli"
# Exit code of ssh itself, as opposed to the remote command's. Source: ssh(1), "EXIT STATUS".
_SSH_FAILED = 255
# The limit covers sending a large bundle over a slow network, and a self-test of up to ten minutes.
_CONNECT_S, _LIMIT_S, _POLL_S = 10, 1200, 5.0


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device that ssh can reach.

    Attributes:
        host: Host for ssh, as "pi@porch.local".
        program: Command that runs edgevid on the device.
        slots: Folder of the device's slots.
        ssh_config: Configuration file for ssh; None for the user's.
    """

    host: str
    program: str = PROGRAM
    slots: str = "/var/lib/edgevid"
    ssh_config: Path | None = None

    def send(self, bundle: Path) -> str:
        """Copy a bundle into a new folder on the device and verify its hash.

        Args:
            bundle: The file to send.

        Returns:
            Path of the copy on the device.

        Raises:
            DeployError: The bundle did not arrive, or not completely.
        """
        name = shlex.quote(bundle.name)
        # mktemp creates the folder for its owner only, but edgevid may run as another user: open it
        # for reading.
        script = (
            "set -e; umask 022; folder=$(mktemp -d /var/tmp/edgevid.XXXXXX); "
            f'chmod 755 "$folder"; cat >"$folder"/{name}; cd "$folder"; sha256sum {name}; pwd'
        )
        with bundle.open("rb") as data:
            # The digest is the first word and the folder the last one; the name between them may
            # have spaces.
            words = self._ssh(script, stdin=data).split()
        if words[0] != sha256(bundle):
            raise DeployError(
                expected=f"{bundle.name} to arrive at {self.host} unchanged",
                got=words[0],
                found="a copy with another SHA-256",
                hint="Try again.",
                path=bundle,
            )
        return f"{words[-1]}/{bundle.name}"

    def activate(self, path: str, *, trial_s: float, restart: bool) -> State:
        """Activate a bundle that was sent, and remove its copy.

        Args:
            path: Path on the device, from `send`.
            trial_s: How long the bundle must deliver decisions to be confirmed.
            restart: Whether to restart the service, so that the trial begins now.

        Returns:
            The device's new state.

        Raises:
            SelftestFailed: The bundle fails its self-test on the device and is not activated.
            DeployError: The bundle could not be activated.
        """
        words = [
            "activate",
            path,
            "--slots",
            self.slots,
            "--trial-s",
            repr(float(trial_s)),
            "--json",
            *(["--restart"] if restart else []),
        ]
        try:
            return _state(self._edgevid(words))
        finally:
            # A copy that stays is less than the reason why the activation failed.
            with contextlib.suppress(DeployError):
                self._ssh(f"rm -rf {shlex.quote(str(Path(path).parent))}")

    def state(self) -> State:
        """Return the state of the device's slots."""
        return _state(self._edgevid(["slots", "--slots", self.slots, "--json"]))

    def shell(self, script: str, *, limit_s: float = _LIMIT_S) -> str:
        """Run a shell script on the device.

        Args:
            script: For `sh`.
            limit_s: Time to wait at most, in seconds.

        Returns:
            Its standard output.

        Raises:
            DeployError: The device cannot be reached, or the script fails.
        """
        return self._ssh(script, limit_s=limit_s)

    def _edgevid(self, words: list[str]) -> str:
        # `program` stays unquoted: it may be several words, as "sudo …".
        return self._ssh(f"{self.program} {shlex.join(words)}")

    def _ssh(self, command: str, *, stdin: IO[bytes] | int = subprocess.DEVNULL, limit_s: float = _LIMIT_S) -> str:
        config = ["-F", str(self.ssh_config)] if self.ssh_config else []
        # BatchMode never prompts. "--" keeps ssh from reading a host "-x" as an option.
        words = ["ssh", *config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_S}", "--", self.host, command]
        try:
            done = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=limit_s, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeployError(expected=f"ssh to reach {self.host}", found=str(error)) from error
        if done.returncode != 0:
            raise self._error(done.returncode, done.stderr)
        return str(done.stdout)

    def _error(self, code: int, stderr: str) -> Exception:
        last_line = (stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("edgevid: ")
        # The remote edgevid's own exit code passes through ssh.
        if code == SelftestFailed.exit_code:
            return SelftestFailed(f"{self.host}: {last_line}", got=code)
        hint = f"Try: ssh {self.host}." if code == _SSH_FAILED else ""
        return DeployError(expected=f"{self.host} to accept the bundle", got=code, found=last_line, hint=hint)


def wait(
    device: Device,
    bundle: str,
    *,
    limit_s: float,
    poll_s: float = _POLL_S,
    look: Callable[[State], None] = lambda state: None,
) -> State:
    """Wait until the device confirms a bundle or takes it out of service.

    Args:
        device: Device with the bundle on trial.
        bundle: File name of the bundle.
        limit_s: Time to wait at most, in seconds.
        poll_s: Time between two polls, in seconds.
        look: Called with each state.

    Returns:
        The state with the bundle active.

    Raises:
        DeployError: The device rolled back to the bundle before it, or the limit has passed.
    """
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        state = device.state()
        look(state)
        if state.trial is None:
            if state.returned:
                raise DeployError(
                    expected=f"{bundle} to be confirmed on {device.host}",
                    got=state.returned,
                    found=f"a rollback to the bundle before it ({state.returned})",
                )
            return state
        time.sleep(poll_s)
    raise DeployError(
        expected=f"{bundle} to be confirmed within {limit_s:g} s",
        found="a trial that still runs",
        hint="Check it with: edgevid slots.",
    )


def _state(text: str) -> State:
    try:
        # The last line of stdout is the JSON; `from_toml` knows no null.
        content = {name: value for name, value in json.loads(text.splitlines()[-1]).items() if value is not None}
        return from_toml(State, content, "the device's answer")
    except (ValueError, IndexError, AttributeError, RecursionError, SlotsError) as error:
        raise DeployError(
            expected="the state of the slots as the device's answer", found=f"something else ({error})"
        ) from error
