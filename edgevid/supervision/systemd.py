"""Tells systemd how the service is: ready, alive, what it is doing, stopping. Does nothing where systemd did not start it.

Source: sd_notify(3) for the protocol, one datagram of `NAME=value` lines to the socket named by NOTIFY_SOCKET; systemd.service(5),
`WatchdogSec=`, and sd_watchdog_enabled(3) for WATCHDOG_USEC and WATCHDOG_PID.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

_US_PER_S = 1e6


class Notifier:
    """A way to the service manager.

    Args:
        environment: Variables as systemd sets them; the process's own where None.

    Attributes:
        watchdog_s: How long systemd waits for a sign of life before it restarts the service; None where it does not wait for one.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        path = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with "@" stands for one in Linux' abstract namespace; systemd sends no others than these two kinds.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path if path.startswith("/") else None
        self.watchdog_s = _watchdog_s(environment) if self._address else None

    def ready(self) -> None:
        """Say that the service does its work: call it when the first frame went through."""
        self._send("READY=1")

    def alive(self) -> None:
        """Say that the work goes on: call it only where it did."""
        if self.watchdog_s is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line what `systemctl status` shows.

        Args:
            text: Without an end of line.
        """
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """Say that the service is on its way out."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        """A manager that is gone, or slow, must not stop or delay the service."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as way:
                way.sendto(message.encode(), self._address)
        except OSError:
            return


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """The time that systemd waits, if it waits for this very process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / _US_PER_S if text.isdecimal() and int(text) else None
