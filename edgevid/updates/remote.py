"""Bring a bundle to a device over ssh, and wait until it has proven itself there.

The system's `ssh` does the talking, with the user's keys, agent and configuration. It is never let ask: a key that is not there is an error.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgevid.errors import DeployError, SelftestFailed
from edgevid.schema import from_toml
from edgevid.updates.slots import State, sha256

PROGRAM = "sudo /opt/edgevid/current/bin/python -m edgevid.cli"
# What ssh itself ends with, where it is not the remote command's. Source: ssh(1), "EXIT STATUS".
_SSH_FAILED = 255
_CONNECT_S, _LIMIT_S, _POLL_S = 10, 1200, 5.0


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device that can be reached.

    Attributes:
        host: As ssh takes it, "pi@porch.local".
        program: How edgevid is called there.
        slots: Where it keeps its bundles.
        ssh_config: A configuration in place of the user's.
    """

    host: str
    program: str = PROGRAM
    slots: str = "/var/lib/edgevid"
    ssh_config: Path | None = None

    def send(self, bundle: Path) -> str:
        """Copy a bundle into a new folder there, and check its hash on the other side.

        Args:
            bundle: The file.

        Returns:
            Its path there.

        Raises:
            DeployError: It did not arrive whole.
        """
        name = shlex.quote(bundle.name)
        script = f'set -e; umask 022; folder=$(mktemp -d /var/tmp/edgevid.XXXXXX); chmod 755 "$folder"; cat >"$folder"/{name}; cd "$folder"; sha256sum {name}; pwd'
        with bundle.open("rb") as data:
            said = self._ssh(script, stdin=data).split()
        if said[0] != sha256(bundle):
            raise DeployError(
                expected=f"{bundle.name} to arrive at {self.host} whole",
                got=said[0],
                found="other bytes there",
                hint="Try again.",
                path=bundle,
            )
        return f"{said[-1]}/{bundle.name}"

    def activate(self, path: str, *, trial_s: float, restart: bool) -> State:
        """Activate a bundle that is there, and remove the copy that was sent.

        Args:
            path: From `send`.
            trial_s: Answers that it must give before it is confirmed.
            restart: Whether the service is restarted, so that the trial begins.

        Returns:
            The device's state.

        Raises:
            SelftestFailed: It does not give its golden answers there; the bundle in service stays.
            DeployError: It could not be activated.
        """
        words = [
            "activate",
            path,
            "--slots",
            self.slots,
            "--trial-s",
            f"{trial_s:g}",
            "--json",
            *(["--restart"] if restart else []),
        ]
        try:
            return _state(self._edgevid(words))
        finally:
            self._ssh(f"rm -rf {shlex.quote(str(Path(path).parent))}")

    def state(self) -> State:
        """Ask which bundles the device keeps."""
        return _state(self._edgevid(["slots", "--slots", self.slots, "--json"]))

    def _edgevid(self, words: list[str]) -> str:
        return self._ssh(f"{self.program} {shlex.join(words)}")

    def _ssh(self, command: str, *, stdin: object = subprocess.DEVNULL) -> str:
        config = ["-F", str(self.ssh_config)] if self.ssh_config else []
        words = ["ssh", *config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_S}", "--", self.host, command]
        try:
            done = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=_LIMIT_S, check=False)  # type: ignore[call-overload]
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeployError(expected=f"ssh to reach {self.host}", found=str(error)) from error
        if done.returncode != 0:
            raise self._refusal(done.returncode, done.stderr)
        return str(done.stdout)

    def _refusal(self, code: int, stderr: str) -> Exception:
        last = (stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("edgevid: ")
        if code == SelftestFailed.exit_code:
            return SelftestFailed(f"{self.host}: {last}", got=code)
        hint = f"Try: ssh {self.host}." if code == _SSH_FAILED else ""
        return DeployError(expected=f"{self.host} to take the bundle", got=code, found=last, hint=hint)


def wait(
    device: Device,
    bundle: str,
    *,
    limit_s: float,
    poll_s: float = _POLL_S,
    look: Callable[[State], None] = lambda state: None,
) -> State:
    """Wait until a bundle is confirmed, or taken out of service.

    Args:
        device: On which it is on trial.
        bundle: Its file name.
        limit_s: How long.
        poll_s: Time between two looks.
        look: Called with each state.

    Returns:
        The state in which it is active.

    Raises:
        DeployError: It was taken out of service, and the one before it is back; or it took too long.
    """
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        state = device.state()
        look(state)
        if state.trial is None:
            if state.returned:
                raise DeployError(
                    expected=f"{bundle} to prove itself on {device.host}",
                    got=state.returned,
                    found="a return to the bundle before it",
                    hint=state.returned,
                )
            return state
        time.sleep(poll_s)
    raise DeployError(
        expected=f"{bundle} to be confirmed within {limit_s:g} s",
        found="a trial that goes on",
        hint="Look with: edgevid slots",
    )


def _state(text: str) -> State:
    return from_toml(
        State,
        {name: value for name, value in json.loads(text.splitlines()[-1]).items() if value is not None},
        "the device's answer",
    )
