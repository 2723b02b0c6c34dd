"""Limits on unserved clients: who makes room, and that neither listening port can be used up from the network."""

from __future__ import annotations

import contextlib
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from edgevid.outputs.pending import HEAD_BYTES, PendingClients
from tests.edgevid.outputs.sinks import until
from tests.repo.files import ROOT
from tests.servers.broker import free_port

BUNDLE = str(resources.files("edgevid") / "data" / "gestures.edgevid")
# Far above what the limits allow, far below what an unlimited server takes for `GIANT` requests.
MOST_GROWTH_MIB = 48


class Connection:
    """A transport from an address."""

    def __init__(self, address: str) -> None:
        self.address, self.is_aborted = address, False

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return self.address, 1

    def abort(self) -> None:
        self.is_aborted = True


def test_a_newcomer_displaces_the_oldest_client_of_the_address_that_holds_most_connections() -> None:
    clients = PendingClients(most=4)
    arrived = [Connection(address) for address in ("good", "bad", "bad", "other", "good")]
    for connection in arrived:
        clients.add(connection)  # type: ignore[arg-type]
    assert [each.is_aborted for each in arrived] == [False, True, False, False, False]
    assert (len(clients), clients.displaced) == (4, 1)


class Device:
    """`edgevid run` with a live source and both listening ports, in a process with few descriptors."""

    def __init__(self, folder: Path) -> None:
        self.page, self.metrics = free_port(), free_port()
        self.lines = folder / "lines"
        with self.lines.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "edgevid.cli", "run", BUNDLE, "--source", "synthetic:3"),
                    *("--policy", "live", "--json"),
                    *("--page", f"127.0.0.1:{self.page}", "--metrics", f"127.0.0.1:{self.metrics}"),
                ],
                stdout=out,
                stderr=subprocess.PIPE,
                cwd=ROOT,
            )
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (256, 256))

    @property
    def decisions(self) -> int:
        return self.lines.read_bytes().count(b'"label"')

    @property
    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def memory_mib(self, field: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def serves(self) -> bool:
        for address in (f"127.0.0.1:{self.page}/", f"127.0.0.1:{self.metrics}/metrics"):
            with urllib.request.urlopen(f"http://{address}", timeout=20) as answer:
                assert answer.status == 200
        return True

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, said.decode()
        return self.process.returncode


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    until(lambda: made.decisions > 10)
    yield made
    made.process.kill()
    made.process.communicate()


@pytest.fixture
def descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 4096:
        pytest.skip("this machine allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


@pytest.mark.usefixtures("descriptors")
def test_idle_connections_in_thousands_leave_room_for_a_good_client_on_every_port(device: Device) -> None:
    with contextlib.ExitStack() as stack:
        for port in (device.page, device.metrics):
            for _ in range(1100):
                stack.enter_context(connect(port))
            before = device.decisions
            assert device.serves()
            assert device.open_files < 256
            until(lambda before=before: device.decisions > before + 10)
    assert device.end() == 0


def test_clients_that_drip_their_request_do_not_shut_a_scraper_or_a_viewer_out(device: Device) -> None:
    dripping = [connect(port) for port in (device.page, device.metrics) for _ in range(100)]
    for byte in b"GET / H":
        for client in dripping:
            with contextlib.suppress(OSError):
                client.sendall(bytes([byte]))
        assert device.serves()
    for client in dripping:
        client.close()
    assert device.end() == 0


def test_giant_headers_on_every_port_take_no_memory_and_stop_no_decision(device: Device) -> None:
    assert device.serves()
    before_mib, decisions = device.memory_mib("VmRSS"), device.decisions

    def send(port: int, line_bytes: int) -> None:
        with contextlib.suppress(OSError), connect(port) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for _ in range(90):
                client.sendall(b"X-A: " + b"a" * line_bytes + b"\r\n")
            client.recv(1)

    giants = [(device.page, 8100)] * 60 + [(device.metrics, 65_000)] * 16
    threads = [threading.Thread(target=send, args=each) for each in giants]
    for thread in threads:
        thread.start()
    assert device.serves()
    for thread in threads:
        thread.join(30)
    assert device.memory_mib("VmHWM") - before_mib < MOST_GROWTH_MIB
    until(lambda: device.decisions > decisions + 10)
    assert device.end() == 0


def test_a_request_head_beyond_the_limit_is_rejected_by_the_metrics(device: Device) -> None:
    with connect(device.metrics) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * (HEAD_BYTES + 1))
        assert client.recv(100).startswith(b"HTTP/1.1 431 ")
