"""A proxy in front of an MQTT broker, on which a test delays, cuts and records real packets.

Source: MQTT 3.1.1, section 2.2 (fixed header), http://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PUBLISH, _PUBACK = 3, 4


class Link:
    """Takes connections on a port of its own and carries them to a broker's.

    Args:
        broker: The broker's port.

    Attributes:
        port: Where to connect.
        unacknowledged: Publishes of quality of service 1 that came from the client and of which no
            acknowledgement went back, now.
        most: The most of them at once.
        hold: Whether acknowledgements wait here.
        swallow: Whether such publishes are lost on the way to the broker.
    """

    def __init__(self, broker: int) -> None:
        self.unacknowledged = self.most = 0
        self.hold = self.swallow = False
        self._broker = broker
        self._held: list[tuple[socket.socket, bytes]] = []
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._begin(self._accept)

    def release(self) -> None:
        """Let what waits here through, and everything from now on."""
        with self._lock:
            self.hold = self.swallow = False
            held, self._held = self._held, []
        for client, packet in held:
            self._acknowledge(client, packet)

    def cut(self) -> None:
        """End the connections there are; what waits here is lost. New ones are taken."""
        with self._lock:
            ends, self._ends = self._ends, []
            self._held, self.unacknowledged = [], 0
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self._broker))
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._ends += [client, broker]
            self._begin(lambda client=client, broker=broker: self._carry(client, broker, self._from_client))
            self._begin(lambda client=client, broker=broker: self._carry(broker, client, self._from_broker))

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _carry(self, source: socket.socket, to: socket.socket, each: Callable[[socket.socket, bytes], None]) -> None:
        waiting = b""
        with source, contextlib.suppress(OSError):
            while data := source.recv(65536):
                waiting += data
                while packet := _first(waiting):
                    waiting = waiting[len(packet) :]
                    each(to, packet)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)

    def _from_client(self, broker: socket.socket, packet: bytes) -> None:
        asks = packet[0] >> 4 == _PUBLISH and packet[0] >> 1 & 3 == 1
        with self._lock:
            self.unacknowledged += asks
            self.most = max(self.most, self.unacknowledged)
            lost = asks and self.swallow
        if not lost:
            broker.sendall(packet)

    def _from_broker(self, client: socket.socket, packet: bytes) -> None:
        if packet[0] >> 4 != _PUBACK:
            client.sendall(packet)
            return
        with self._lock:
            if self.hold:
                self._held.append((client, packet))
                return
        self._acknowledge(client, packet)

    def _acknowledge(self, client: socket.socket, packet: bytes) -> None:
        with self._lock:
            self.unacknowledged -= 1
        client.sendall(packet)


def _first(data: bytes) -> bytes:
    """The first packet where it is whole, else nothing."""
    length = 0
    for place, byte in enumerate(data[1:5]):
        length |= (byte & 127) << 7 * place
        if byte < 128:
            end = place + 2 + length
            return data[:end] if len(data) >= end else b""
    return b""


@contextmanager
def linked(broker: int) -> Iterator[Link]:
    """A link for the length of a block.

    Args:
        broker: The broker's port.

    Yields:
        It.
    """
    link = Link(broker)
    try:
        yield link
    finally:
        link.close()
