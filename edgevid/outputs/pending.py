"""Limits on clients that have not shown a right to be served yet.

Anyone on the network can connect to the live page and to the metrics. Until its request is read and
accepted, a client may send a bounded number of bytes for a bounded time, and there are few such
clients. A newcomer displaces the oldest client of the address that holds most connections. So a
flood from one machine displaces itself, and a client that sends its request at once is served.
"""

from __future__ import annotations

from asyncio import Transport
from collections import Counter

# A browser's request has about 1 KiB; cookies of other servers on the same host may add some.
HEAD_BYTES = 16 * 2**10
# For the whole request, however steadily its bytes come, and for the answer to it.
REQUEST_S = 10.0
MOST_PENDING = 64


class PendingClients:
    """The connections of one server that are not served yet, oldest first.

    Args:
        most: The upper limit of their number.

    Attributes:
        displaced: The number of connections that had to make room for others.
    """

    def __init__(self, most: int = MOST_PENDING) -> None:
        self._most = most
        self._addresses: dict[Transport, str] = {}
        self.displaced = 0

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._addresses)

    def add(self, transport: Transport) -> None:
        """Add a new connection, and abort another one if there are too many.

        Args:
            transport: The connection.
        """
        if len(self._addresses) >= self._most:
            self._displace()
        peer = transport.get_extra_info("peername")
        self._addresses[transport] = str(peer[0]) if peer else ""

    def discard(self, transport: Transport) -> None:
        """Forget a connection that is served or closed."""
        self._addresses.pop(transport, None)

    def abort(self) -> None:
        """Abort all connections."""
        for transport in list(self._addresses):
            transport.abort()
        self._addresses.clear()

    def _displace(self) -> None:
        counts = Counter(self._addresses.values())
        most = max(counts.values())
        oldest = next(transport for transport, address in self._addresses.items() if counts[address] == most)
        self.discard(oldest)
        oldest.abort()
        self.displaced += 1
