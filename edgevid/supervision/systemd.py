"""Notifications to systemd: ready, alive, status, stopping. Without systemd, they do nothing.

Sources: sd_notify(3) for the protocol, one datagram of `NAME=value` lines to the socket in
NOTIFY_SOCKET; systemd.service(5), `WatchdogSec=`, and sd_watchdog_enabled(3) for WATCHDOG_USEC and
WATCHDOG_PID.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

_US_PER_S = 1e6


class Notifier:
    """A connection to the service manager.

    Args:
        environment: Variables as systemd sets them; those of the process by default.

    Attributes:
        watchdog_s: How long systemd waits for a sign of life before it restarts the service; None
            if it does not wait.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        path = environment.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of Linux's abstract namespace. Ignore other kinds of address,
        # such as "vsock:".
        self._address = f"\0{path[1:]}" if path.startswith("@") else path if path.startswith("/") else None
        self.watchdog_s = _watchdog_s(environment) if self._address else None

    def ready(self) -> None:
        """Report that the first frame was processed."""
        self._send("READY=1")

    def alive(self) -> None:
        """Report progress to the watchdog; call it only after progress."""
        if self.watchdog_s is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the status line of `systemctl status`.

        Args:
            text: One line, without a line break.
        """
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """Report that the service is shutting down."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            # Never block or fail: a slow or missing manager must not delay the service.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as connection:
                connection.sendto(message.encode(), self._address)
        except OSError:
            return


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Return systemd's watchdog time-out, if it applies to this very process."""
    # A child inherits the variables, but the watchdog waits for the service's main process only.
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / _US_PER_S if text.isdecimal() and int(text) else None
