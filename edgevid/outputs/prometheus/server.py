"""A small HTTP server for scrapers: one thread, one request per connection, and a limit for each.

`edgevid.outputs.pending` limits the clients. The standard library's servers do not: they read
6 MiB of headers per client, and wait for each byte anew.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from http import HTTPStatus
from time import monotonic_ns
from typing import cast
from urllib.parse import unquote

from edgevid.outputs import pending
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.pending import PendingClients
from edgevid.outputs.prometheus.recent import App, Environ
from edgevid.units import NS_PER_S

_MOST_HEADERS = 64
# How soon `serve` returns after `leave`.
_POLL_S = 0.25
_HEAD_END = re.compile(rb"\r?\n\r?\n")
# Method, path, query [RFC 9112, section 3].
_REQUEST_LINE = re.compile(r"([A-Z]+) (/[^ ?]*)(?:\?([^ ]*))? HTTP/1\.[01]")
_HEADER = re.compile(r"([A-Za-z0-9_-]+):[ \t]*(.*?)[ \t]*")
_log = logging.getLogger(__name__)


class ScrapeServer:
    """A server of one WSGI application on a bound socket.

    Args:
        bound: The listening socket; `close` closes it.
        app: The application. It must not block, and answers requests without a body.
        each_second: Called about once a second, between requests.

    Attributes:
        answered: The number of requests answered by the application.
        clients: The clients that are connected.
    """

    def __init__(self, bound: socket.socket, app: App, each_second: Callable[[], None]) -> None:
        self.answered = 0
        self.clients = PendingClients()
        self._bound, self._app, self._each_second = bound, app, each_second
        self._left = False

    def serve(self, run: WorkerRun) -> None:
        """Serve until `leave` is called or the run is cancelled.

        Args:
            run: Receives a heartbeat several times a second.
        """
        asyncio.run(self._serve(run))

    def leave(self) -> None:
        """Stop serving. Does not block."""
        self._left = True

    def close(self) -> None:
        """Close the listening socket."""
        self._bound.close()

    def answer(self, head: bytes) -> bytes:
        """Return the response to a request.

        Args:
            head: Request line and headers.
        """
        environ = _environ(head.decode("latin-1"))
        if isinstance(environ, HTTPStatus):
            return _response(environ)
        status, headers = "", [("Connection", "close")]

        def start_response(line: str, more: list[tuple[str, str]]) -> None:
            nonlocal status
            status = line
            headers.extend(more)

        try:
            body = b"".join(self._app(environ, start_response))
        except Exception as error:  # noqa: BLE001  # a fault in one answer must not end the server
            _log.warning("edgevid: metrics: a request was not answered: %s: %s", type(error).__name__, error)
            return _response(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.answered += 1
        return _encode(status, headers, body)

    async def _serve(self, run: WorkerRun) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(self), sock=self._bound, backlog=pending.MOST_PENDING)
        called_ns = 0
        while not self._left and not run.cancelled.is_set():
            run.heartbeat()
            if monotonic_ns() - called_ns > NS_PER_S:
                called_ns = monotonic_ns()
                self._each_second()
            await asyncio.sleep(_POLL_S)
        server.close()
        self.clients.abort()
        # An aborted connection is closed in the next turn of the event loop.
        await asyncio.sleep(0)


class _Client(asyncio.Protocol):
    """One connection: reads the head of a request, answers it, and closes."""

    def __init__(self, server: ScrapeServer) -> None:
        self._server = server
        self._head = bytearray()
        self._is_answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.clients.add(self._transport)
        # Also ends a client that does not read its answer.
        self._deadline = asyncio.get_running_loop().call_later(pending.REQUEST_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._is_answered:
            return
        self._head += data
        end = _HEAD_END.search(self._head)
        if (end.start() if end else len(self._head)) > pending.HEAD_BYTES:
            self._send(_response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        elif end:
            self._send(self._server.answer(bytes(self._head[: end.start()])))

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        self._server.clients.discard(self._transport)

    def _send(self, response: bytes) -> None:
        self._is_answered = True
        self._head.clear()
        self._transport.write(response)
        # Closes when the response is sent.
        self._transport.close()


def _environ(head: str) -> Environ | HTTPStatus:
    """Return the environment of a request, or the status that rejects it."""
    first, *lines = head.replace("\r\n", "\n").split("\n")
    if len(lines) > _MOST_HEADERS:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    request, headers = _REQUEST_LINE.fullmatch(first), [_HEADER.fullmatch(line) for line in lines]
    names = [header[1].upper().replace("-", "_") for header in headers if header]
    # Two Host headers, or a body: no scraper sends them, and proxies disagree about them.
    if request is None or None in headers or names.count("HOST") > 1 or "TRANSFER_ENCODING" in names:
        return HTTPStatus.BAD_REQUEST
    method, path, query = request.groups()
    values = {f"HTTP_{name}": header[2] for name, header in zip(names, headers, strict=True) if header}
    return {"REQUEST_METHOD": method, "PATH_INFO": unquote(path), "QUERY_STRING": query or "", **values}


def _response(status: HTTPStatus) -> bytes:
    return _encode(f"{status.value} {status.phrase}", [("Connection", "close")], f"{status.phrase}.\n".encode())


def _encode(status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
