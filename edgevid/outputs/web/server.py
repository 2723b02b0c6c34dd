"""The web server of the live page.

One socket per viewer carries everything: messages as JSON texts, and pictures as eight bytes of
time followed by a JPEG. The next picture is sent when the page has shown the last (it answers
"ok"), so a slow connection gets fewer pictures and never old ones. Each text and each JPEG is
created once for all viewers. A viewer that receives nothing for `PATIENCE_S` is disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from edgevid.outputs.video.jpeg_ring import Picture
from edgevid.outputs.video.pictures import Pictures
from edgevid.outputs.web.gate import Gate
from edgevid.outputs.web.hub import Hub
from edgevid.outputs.web.site import HTML, ICON, PATIENCE_S, SCRIPT, STYLE, Site, closed_error, static_file
from edgevid.units import NS_PER_S

MOST_VIEWERS = 16
# New content is sent every step, vitals every 20 steps, that is once a second.
_STEP_S, _VITALS_STEPS = 0.05, 20
_WAITING_TEXTS = 64
_LARGEST_REQUEST_BYTES = 64  # a page sends "ok", and four numbers of a region
# After each region: a page that sends many would wear the card out.
_SAVED_S = 0.2
# Close codes of the WebSocket protocol (RFC 6455); the page shows them as words.
_TRY_LATER, _GOING_AWAY = 1013, 1001
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", HTML),
    "/page.js": ("page.js", SCRIPT),
    "/chart.js": ("chart.js", SCRIPT),
    "/region.js": ("region.js", SCRIPT),
    "/skeleton.js": ("skeleton.js", SCRIPT),
    "/page.css": ("page.css", STYLE),
    "/icon.svg": ("icon.svg", ICON),
}
_SOCKET, _SHOWN = "/live", "ok"


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
        self._hub, self._pictures = hub, pictures
        files = {path: (static_file(name), kind) for path, (name, kind) in _FILES.items()}
        self._site = Site(gate, files=files, socket_path=_SOCKET)
        self._viewers: set[_Viewer] = set()
        self._picture: Picture | None = None
        self.visits = self.sent = 0
        self.clients = self._site.clients

    async def serve(self, bound: socket.socket, beat: Callable[[], bool]) -> None:
        """Serve until `beat` returns False.

        Args:
            bound: The listening socket.
            beat: Called many times a second.
        """
        server = self._site.serving(bound, self._handle, largest_message_bytes=_LARGEST_REQUEST_BYTES)
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
        except (TimeoutError, closed_error()):
            connection.transport.abort()
        finally:
            listening.cancel()
            self._viewers.discard(viewer)
            if self._pictures is not None:
                self._pictures.remove_viewer()

    async def _listen(self, viewer: _Viewer) -> None:
        """Receive "ok" for each picture shown, and regions, until the page is closed."""
        with contextlib.suppress(closed_error()):
            async for message in viewer.connection:
                if message == _SHOWN:
                    viewer.is_ready = True
                else:
                    await self._change_region(viewer, message)
                viewer.wake.set()
        viewer.is_gone = True
        # Ends `_send`, which would wait for new content until its timeout.
        viewer.wake.set()

    async def _change_region(self, viewer: _Viewer, message: str | bytes) -> None:
        answer = self._hub.change_region(message)
        # A full queue is that of a viewer who is about to be disconnected.
        with contextlib.suppress(asyncio.QueueFull):
            viewer.texts.put_nowait(answer)
        viewer.wake.set()
        await asyncio.sleep(_SAVED_S)

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
