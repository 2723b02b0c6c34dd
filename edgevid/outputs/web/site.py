"""A web site with one socket behind a gate, through websockets, which only this file imports.

`edgevid.outputs.pending` limits clients whose request was not accepted yet.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any

from edgevid.errors import MissingDependency
from edgevid.outputs import pending
from edgevid.outputs.pending import PendingClients
from edgevid.outputs.web.gate import Gate

PATIENCE_S = 10.0
HTML, SCRIPT, STYLE = "text/html; charset=utf-8", "text/javascript; charset=utf-8", "text/css; charset=utf-8"
ICON = "image/svg+xml"
_PLAIN = "text/plain; charset=utf-8"
# Slows down guessing.
_WRONG_TOKEN_S = 0.5
Files = Mapping[str, tuple[bytes, str]]


class Site:
    """Files and a socket of one address. All methods run in one thread.

    Args:
        gate: The access rules.
        files: Content and type of each path; nothing else is served.
        socket_path: The path of the socket.

    Attributes:
        clients: The clients that are connected and whose request was not accepted yet.
    """

    def __init__(self, gate: Gate, *, files: Files, socket_path: str) -> None:
        self._gate, self._files, self._socket_path = gate, files, socket_path
        self._login = static_file("login.html")
        self.clients = PendingClients()

    def serving(
        self, bound: socket.socket, handle: Callable[[Any], Awaitable[None]], *, largest_message_bytes: int
    ) -> Any:
        """Return a context in which the site is served.

        Args:
            bound: The listening socket.
            handle: Serves one socket until it is closed.
            largest_message_bytes: A socket that sends more is closed.
        """

        async def accepted(connection: Any) -> None:
            self.clients.discard(connection.transport)
            await handle(connection)

        return _websockets().serve(
            accepted,
            sock=bound,
            process_request=self._answer,
            create_connection=_connection_type(self.clients),
            backlog=pending.MOST_PENDING,
            compression=None,  # JPEGs are compressed, and texts are short
            open_timeout=pending.REQUEST_S,
            ping_interval=PATIENCE_S,
            ping_timeout=PATIENCE_S,
            close_timeout=1,
            max_size=largest_message_bytes,
            max_queue=4,
            server_header=None,
            logger=_quiet_logger(),
        )

    async def _answer(self, _connection: Any, request: Any) -> Any:
        """Return the answer to an HTTP request; None to open the socket."""
        admission = self._gate.judge(request.path, request.headers)
        path = request.path.partition("?")[0]
        host = request.headers.get("Host", "")
        if admission.status == 401:
            await asyncio.sleep(_WRONG_TOKEN_S if "token=" in request.path else 0)
            return _response(401, self._login, HTML, host)
        if admission.status != 200:
            return _response(admission.status, b"", _PLAIN, "", admission.headers)
        if path == self._socket_path and request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        if path not in self._files:
            return _response(404, b"There is nothing here.\n", _PLAIN, "")
        body, kind = self._files[path]
        return _response(200, body, kind, host)


def _connection_type(clients: PendingClients) -> type:
    """Return a connection that is limited until its request is accepted."""
    from websockets.asyncio.server import ServerConnection
    from websockets.protocol import State

    class LimitedConnection(ServerConnection):
        head_bytes = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            clients.add(self.transport)

        def data_received(self, data: bytes) -> None:
            if self.protocol.state is State.CONNECTING:
                self.head_bytes += len(data)
                if self.head_bytes > pending.HEAD_BYTES:
                    self.transport.abort()
                    return
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            clients.discard(self.transport)
            super().connection_lost(exc)

    return LimitedConnection


def static_file(name: str, *, package: str = "edgevid.outputs.web") -> bytes:
    """Read a file of a page.

    Args:
        name: Its name in the folder `static` of the package.
        package: A package.
    """
    return (resources.files(package) / "static" / name).read_bytes()


def closed_error() -> type[Exception]:
    """Return the error of a socket that the other side closed, for `except`."""
    error: type[Exception] = _websockets().exceptions.ConnectionClosed
    return error


def check(purpose: str) -> None:
    """Check that websockets is installed.

    Args:
        purpose: What it is needed for, for the error.

    Raises:
        MissingDependency: It is not.
    """
    _websockets(purpose)


def _response(status: int, body: bytes, kind: str, host: str, more: Mapping[str, str] | None = None) -> Any:
    """Return a response whose page may load from this server only, and sends no referrer."""
    from http import HTTPStatus

    websockets = _websockets()
    # For browsers in which 'self' excludes the page's own socket [w3c/webappsec-csp#7]. The host
    # comes from the request, so it must not contain what would end the directive.
    sockets = f" ws://{host} wss://{host}" if host and not set(host) & set(" ;,'\"") else ""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        f"connect-src 'self'{sockets}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        **(more or {}),
    }
    return websockets.http11.Response(
        status, HTTPStatus(status).phrase, websockets.datastructures.Headers(headers), body
    )


def _quiet_logger() -> logging.Logger:
    """Return a logger that ignores connections that break off, which is normal for viewers."""
    logger = logging.getLogger("edgevid.outputs.web.connections")
    logger.setLevel(logging.CRITICAL)
    return logger


class _Library:
    """The parts of websockets in use."""

    def __init__(self) -> None:
        from websockets import datastructures, exceptions, http11
        from websockets.asyncio.server import serve

        self.datastructures, self.exceptions, self.http11, self.serve = datastructures, exceptions, http11, serve


def _websockets(purpose: str = "a page") -> Any:
    try:
        return _Library()
    except ImportError as error:
        raise MissingDependency(
            expected=f"websockets for {purpose}", found="none", hint="Run: pip install 'edgevid[web]'."
        ) from error
