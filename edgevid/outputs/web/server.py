"""The web server of the live page, through websockets, which only this file imports.

One socket per viewer carries everything: messages as JSON texts, and pictures as eight bytes of
time followed by a JPEG. The next picture is sent when the page has shown the last (it answers
"ok"), so a slow connection gets fewer pictures and never old ones. Each text and each JPEG is
created once for all viewers. A viewer that receives nothing for `PATIENCE_S` is disconnected.
`edgevid.outputs.pending` limits clients whose request was not accepted yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from edgevid.errors import MissingDependency
from edgevid.outputs import pending
from edgevid.outputs.pending import PendingClients
from edgevid.outputs.video.jpeg_ring import Picture
from edgevid.outputs.video.pictures import Pictures
from edgevid.outputs.web.gate import Gate
from edgevid.outputs.web.hub import Hub
from edgevid.units import NS_PER_S

PATIENCE_S = 10.0
MOST_VIEWERS = 16
# New content is sent every step, vitals every 20 steps, that is once a second.
_STEP_S, _VITALS_STEPS = 0.05, 20
_WAITING_TEXTS = 64
_LARGEST_REQUEST_BYTES = 64  # a page only ever sends "ok"
# Close codes of the WebSocket protocol (RFC 6455); the page shows them as words.
_TRY_LATER, _GOING_AWAY = 1013, 1001
# Slows down guessing.
_WRONG_TOKEN_S = 0.5
_HTML, _PLAIN = "text/html; charset=utf-8", "text/plain; charset=utf-8"
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", _HTML),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_LOGIN = "login.html"
_SOCKET = "/live"


class _Viewer:
    """One open page."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.texts: asyncio.Queue[str] = asyncio.Queue(_WAITING_TEXTS)
        self.next_picture = 0
        # Whether the last picture is on the screen, and whether the page was closed.
        self.is_ready, self.is_gone = True, False
        self.wake = asyncio.Event()


class PageServer:
    """The server of one page. All methods run in one thread.

    Args:
        hub: The content of the page.
        gate: The access rules.
        pictures: The video; None for a source without pictures.

    Attributes:
        visits: The number of sockets opened.
        sent: The number of pictures sent, to all viewers together.
        clients: The clients that are connected and are no viewers.
    """

    def __init__(self, hub: Hub, gate: Gate, pictures: Pictures | None) -> None:
        self._hub, self._gate, self._pictures = hub, gate, pictures
        static = resources.files("edgevid.outputs.web") / "static"
        self._files = {path: ((static / name).read_bytes(), kind) for path, (name, kind) in _FILES.items()}
        self._login = (static / _LOGIN).read_bytes()
        self._viewers: set[_Viewer] = set()
        self._picture: Picture | None = None
        self.visits = self.sent = 0
        self.clients = PendingClients()

    async def serve(self, bound: socket.socket, beat: Callable[[], bool]) -> None:
        """Serve until `beat` returns False.

        Args:
            bound: The listening socket.
            beat: Called many times a second.
        """
        server = _websockets().serve(
            self._handle,
            sock=bound,
            process_request=self._answer,
            create_connection=_connection_type(self.clients),
            backlog=pending.MOST_PENDING,
            compression=None,  # JPEGs are compressed, and texts are short
            open_timeout=pending.REQUEST_S,
            ping_interval=PATIENCE_S,
            ping_timeout=PATIENCE_S,
            close_timeout=1,
            max_size=_LARGEST_REQUEST_BYTES,
            max_queue=4,
            server_header=None,
            logger=_quiet_logger(),
        )
        async with server as serving:
            step = 0
            while beat():
                await asyncio.sleep(_STEP_S)
                step += 1
                if self._viewers:
                    self._broadcast(with_vitals=step % _VITALS_STEPS == 0)
            serving.close(code=_GOING_AWAY)
            # Exiting the context waits for every connection.
            self.clients.abort()

    def _broadcast(self, *, with_vitals: bool) -> None:
        """Queue new content for every viewer; disconnect one whose queue is full."""
        texts = self._hub.news()
        if with_vitals:
            texts.append(self._hub.vitals(viewers=len(self._viewers)))
        self._update_picture()
        for viewer in list(self._viewers):
            try:
                for text in texts:
                    viewer.texts.put_nowait(text)
            except asyncio.QueueFull:
                viewer.connection.transport.abort()
            viewer.wake.set()

    def _update_picture(self) -> None:
        """Copy the newest picture out of the ring, once for all viewers."""
        if self._pictures is None:
            return
        newest = self._pictures.ring.next_number - 1
        if newest >= 0 and (self._picture is None or self._picture.number < newest):
            self._picture = self._pictures.ring.get(newest)

    async def _handle(self, connection: Any) -> None:
        """Serve one viewer until it leaves."""
        self.clients.discard(connection.transport)
        if len(self._viewers) >= MOST_VIEWERS:
            await connection.close(_TRY_LATER, "too many viewers")
            return
        viewer = _Viewer(connection)
        viewer.texts.put_nowait(self._hub.hello())
        viewer.texts.put_nowait(self._hub.vitals(viewers=len(self._viewers) + 1))
        viewer.wake.set()
        self._viewers.add(viewer)
        self.visits += 1
        if self._pictures is not None:
            self._pictures.add_viewer()
        listening = asyncio.create_task(self._listen(viewer))
        try:
            await self._send(viewer)
        except (TimeoutError, _websockets().exceptions.ConnectionClosed):
            connection.transport.abort()
        finally:
            listening.cancel()
            self._viewers.discard(viewer)
            if self._pictures is not None:
                self._pictures.remove_viewer()

    async def _listen(self, viewer: _Viewer) -> None:
        """Receive "ok" for each picture shown, until the page is closed."""
        with contextlib.suppress(_websockets().exceptions.ConnectionClosed):
            async for _ in viewer.connection:
                viewer.is_ready = True
                viewer.wake.set()
        viewer.is_gone = True
        # Ends `_send`, which would wait for new content until its timeout.
        viewer.wake.set()

    async def _send(self, viewer: _Viewer) -> None:
        """Send queued texts and the newest picture whenever there is something new."""
        while not viewer.is_gone:
            await asyncio.wait_for(viewer.wake.wait(), PATIENCE_S)
            viewer.wake.clear()
            while not viewer.texts.empty():
                await asyncio.wait_for(viewer.connection.send(viewer.texts.get_nowait()), PATIENCE_S)
            picture = self._picture
            if viewer.is_ready and picture is not None and picture.number >= viewer.next_picture:
                viewer.next_picture, viewer.is_ready = picture.number + 1, False
                message = struct.pack(">d", picture.timestamp_ns / NS_PER_S) + picture.jpeg
                await asyncio.wait_for(viewer.connection.send(message), PATIENCE_S)
                self.sent += 1

    async def _answer(self, _connection: Any, request: Any) -> Any:
        """Return the answer to an HTTP request; None to open the socket."""
        admission = self._gate.judge(request.path, request.headers)
        path = request.path.partition("?")[0]
        host = request.headers.get("Host", "")
        if admission.status == 401:
            await asyncio.sleep(_WRONG_TOKEN_S if "token=" in request.path else 0)
            return _response(401, self._login, _HTML, host)
        if admission.status != 200:
            return _response(admission.status, b"", _PLAIN, "", admission.headers)
        if path == _SOCKET and request.headers.get("Upgrade", "").lower() == "websocket":
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


def check() -> None:
    """Check that websockets is installed.

    Raises:
        MissingDependency: It is not.
    """
    _websockets()


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


def _websockets() -> Any:
    try:
        return _Library()
    except ImportError as error:
        raise MissingDependency(
            expected="websockets for --page", found="none", hint="Run: pip install 'edgevid[web]'."
        ) from error
