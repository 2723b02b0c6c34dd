"""The protocol of sd_notify(3), against a real datagram socket of the kernel's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgevid.supervision.systemd import Notifier

USEC = "10000000"


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """What systemd has at its end, and what it writes into NOTIFY_SOCKET."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@edgevid-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(name.replace("@", "\0") if name.startswith("@") else name)
        end.settimeout(5)
        yield end, name


def test_each_message_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    end, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": USEC})
    notifier.ready()
    notifier.alive()
    notifier.status("30 fps, 61 °C")
    notifier.stopping()
    assert [end.recv(999).decode() for _ in range(4)] == ["READY=1", "WATCHDOG=1", "STATUS=30 fps, 61 °C", "STOPPING=1"]


def test_the_messages_are_those_of_systemds_own_tool(manager: tuple[socket.socket, str]) -> None:
    if shutil.which("systemd-notify") is None:
        pytest.skip("systemd-notify is not installed; run: apt-get install systemd")
    end, name = manager
    # Its MAINPID line and its barrier are for scripts, whose own process is gone before the manager looks.
    subprocess.run(
        ["systemd-notify", "--no-block", "--ready", "--status=warm"],
        env={"NOTIFY_SOCKET": name, "PATH": os.environ["PATH"]},
        check=True,
    )
    theirs = {line for line in end.recv(999).decode().splitlines() if not line.startswith("MAINPID")}
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.status("warm")
    assert {end.recv(999).decode(), end.recv(999).decode()} == theirs


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": USEC}, 10.0),
        ({"WATCHDOG_USEC": USEC, "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": USEC, "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_signs_of_life_are_sent_only_where_this_process_is_waited_for(
    manager: tuple[socket.socket, str], environment: dict[str, str], watchdog_s: float | None
) -> None:
    end, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name, **environment})
    assert notifier.watchdog_s == watchdog_s
    notifier.alive()
    notifier.ready()
    assert end.recv(999) == (b"WATCHDOG=1" if watchdog_s else b"READY=1")


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"NOTIFY_SOCKET": "vsock:2:1234"}]
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    notifier = Notifier(environment)
    notifier.ready()
    notifier.alive()
    notifier.stopping()


def test_a_manager_that_does_not_read_delays_nobody(manager: tuple[socket.socket, str]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager[1]})
    for _ in range(5000):
        notifier.status("x" * 200)
