"""Serves the live page and its socket, through websockets: this is the only file that imports it.

One socket a viewer carries everything: texts as JSON, and pictures as JPEG behind eight bytes of time. A picture is sent when the one before
has been shown (the page says "ok"), so a slow line gets fewer pictures and never old ones. Each text and each JPEG is made once for all viewers.
A viewer that takes nothing for `PATIENCE_S` is dropped; so is a client that connects and does not ask.
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
from edgevid.outputs.video.jpeg_ring import Picture
from edgevid.outputs.video.pictures import Pictures
from edgevid.outputs.web.gate import Gate
from edgevid.outputs.web.hub import Hub

PATIENCE_S, REQUEST_S = 10.0, 10.0
MOST_VIEWERS = 16
_STEP_S, _VITALS_STEPS = 0.05, 20
_WAITING_TEXTS = 64
_LARGEST_REQUEST_BYTES = 64  # "ok" is all that the page says
_TRY_LATER, _GOING_AWAY = 1013, 1001
_WRONG_TOKEN_S = 0.5
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_SOCKET = "/live"


class _Viewer:
    """One open page."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.texts: asyncio.Queue[str] = asyncio.Queue(_WAITING_TEXTS)
        self.picture = 0  # number of the next one to send
        self.shown, self.gone = True, False
        self.wake = asyncio.Event()


class PageServer:
    """The server of one page; made and used in one thread.

    Args:
        hub: What is shown.
        gate: Who may see it.
        pictures: The video; None for a source without pictures.

    Attributes:
        visits: Sockets that were opened.
        sent: Pictures sent, to all viewers together.
    """

    def __init__(self, hub: Hub, gate: Gate, pictures: Pictures | None) -> None:
        self._hub, self._gate, self._pictures = hub, gate, pictures
        self._files = {
            path: ((resources.files("edgevid.outputs.web") / "static" / name).read_bytes(), kind)
            for path, (name, kind) in _FILES.items()
        }
        self._login = (resources.files("edgevid.outputs.web") / "static" / "login.html").read_bytes()
        self._viewers: set[_Viewer] = set()
        self._picture: Picture | None = None
        self.visits = self.sent = 0

    async def serve(self, bound: socket.socket, beat: Callable[[], bool]) -> None:
        """Serve until told to stop.

        Args:
            bound: Where to listen.
            beat: Called many times a second; serving ends when it says False.
        """
        server = _websockets().serve(
            self._handle,
            sock=bound,
            process_request=self._answer,
            compression=None,  # pictures are compressed, and texts are short
            open_timeout=REQUEST_S,
            ping_interval=PATIENCE_S,
            ping_timeout=PATIENCE_S,
            close_timeout=1,
            max_size=_LARGEST_REQUEST_BYTES,
            max_queue=4,
            server_header=None,
            logger=_quiet(),
        )
        async with server as serving:
            step = 0
            while beat():
                await asyncio.sleep(_STEP_S)
                step += 1
                if self._viewers:
                    self._spread(with_vitals=step % _VITALS_STEPS == 0)
            serving.close(code=_GOING_AWAY)

    def _spread(self, *, with_vitals: bool) -> None:
        """Give what is new to every viewer."""
        texts = self._hub.news()
        if with_vitals:
            texts.append(self._hub.vitals(viewers=len(self._viewers)))
        self._take_picture()
        for viewer in list(self._viewers):
            try:
                for text in texts:
                    viewer.texts.put_nowait(text)
            except asyncio.QueueFull:
                viewer.connection.transport.abort()
            viewer.wake.set()

    def _take_picture(self) -> None:
        """Copy the newest picture out of the ring, once."""
        if self._pictures is None:
            return
        newest = self._pictures.ring.next_number - 1
        if newest >= 0 and (self._picture is None or self._picture.number < newest):
            self._picture = self._pictures.ring.get(newest)

    async def _handle(self, connection: Any) -> None:
        """Serve one viewer until it leaves."""
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
                self._pictures.look_away()

    async def _listen(self, viewer: _Viewer) -> None:
        """Note that a picture was shown; a page that leaves wakes its sender."""
        with contextlib.suppress(_websockets().exceptions.ConnectionClosed):
            async for _ in viewer.connection:
                viewer.shown = True
                viewer.wake.set()
        viewer.gone = True
        viewer.wake.set()

    async def _send(self, viewer: _Viewer) -> None:
        """Send what there is, then wait for more."""
        while not viewer.gone:
            await asyncio.wait_for(viewer.wake.wait(), PATIENCE_S)
            viewer.wake.clear()
            while not viewer.texts.empty():
                await asyncio.wait_for(viewer.connection.send(viewer.texts.get_nowait()), PATIENCE_S)
            picture = self._picture
            if viewer.shown and picture is not None and picture.number >= viewer.picture:
                viewer.picture, viewer.shown = picture.number + 1, False
                await asyncio.wait_for(
                    viewer.connection.send(struct.pack(">d", picture.timestamp_ns / 1e9) + picture.jpeg), PATIENCE_S
                )
                self.sent += 1

    async def _answer(self, _connection: Any, request: Any) -> Any:
        """Answer a request; None lets the socket open."""
        verdict = self._gate.judge(request.path, request.headers)
        path = request.path.partition("?")[0]
        if verdict.status == 401:
            await asyncio.sleep(_WRONG_TOKEN_S if "token=" in request.path else 0)
            return _response(401, self._login, "text/html; charset=utf-8", request.headers.get("Host", ""))
        if verdict.status != 200:
            return _response(verdict.status, b"", "text/plain; charset=utf-8", "", verdict.headers)
        if path == _SOCKET and request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        if path not in self._files:
            return _response(404, b"There is nothing here.\n", "text/plain; charset=utf-8", "")
        body, kind = self._files[path]
        return _response(200, body, kind, request.headers.get("Host", ""))


def check() -> None:
    """Find out whether websockets is there.

    Raises:
        MissingDependency: It is not.
    """
    _websockets()


def _response(status: int, body: bytes, kind: str, host: str, more: Mapping[str, str] | None = None) -> Any:
    """An answer that lets the page load from here only, and tells nobody of it."""
    from http import HTTPStatus

    websockets = _websockets()
    sockets = f" ws://{host} wss://{host}" if host and not set(host) & set(" ;,'\"") else ""
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": "no-cache",
        "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'{sockets}; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        **(more or {}),
    }
    return websockets.http11.Response(
        status, HTTPStatus(status).phrase, websockets.datastructures.Headers(headers), body
    )


def _quiet() -> logging.Logger:
    """A logger for connections that break off, which is no news."""
    logger = logging.getLogger("edgevid.outputs.web.connections")
    logger.setLevel(logging.CRITICAL)
    return logger


class _Library:
    """The parts of websockets that are used."""

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
