"""The web server of the page that marks events.

One socket carries everything. The page asks for frames by their time and gets JPEGs, each after a
head with the number of the request, whether it is the last frame, and its time. It sends the events
of a recording after each change, and hears whether they are on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from convert.recordings.labelling.player import Player, Shot
from convert.recordings.labelling.sheet import Sheet
from convert.recordings.marks import seconds
from convert.recordings.truth import Recording, TrueEvent
from edgevid.errors import EdgevidError
from edgevid.outputs.web.gate import Gate
from edgevid.outputs.web.site import HTML, ICON, SCRIPT, STYLE, Site, closed_error, static_file

_PACKAGE = "convert.recordings.labelling"
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", HTML),
    "/label.js": ("label.js", SCRIPT),
    "/marks.js": ("marks.js", SCRIPT),
    "/strip.js": ("strip.js", SCRIPT),
    "/film.js": ("film.js", SCRIPT),
    "/label.css": ("label.css", STYLE),
}
# The look of the live page.
_SHARED: Mapping[str, tuple[str, str]] = {"/page.css": ("page.css", STYLE), "/icon.svg": ("icon.svg", ICON)}
_SOCKET = "/label"
# Thousands of events.
_LARGEST_MESSAGE_BYTES = 2**20
_MOST_FRAMES = 16
_STEP_S = 0.2
_HEAD = ">IBd"
# Close codes of RFC 6455 and of our own; the page shows them as words.
_GOING_AWAY, _NOT_UNDERSTOOD, _OPENED_ELSEWHERE = 1001, 1003, 4001


class _Malformed(Exception):
    """A message that the page does not send."""


class LabelServer:
    """The server of one page. All methods run in one thread, except for reading videos and writing.

    Args:
        videos: The recordings that are shown, with their names.
        sheet: The table of events.
        gate: The access rules.
    """

    def __init__(self, videos: Sequence[tuple[str, Path]], sheet: Sheet, gate: Gate) -> None:
        self._videos, self._sheet = videos, sheet
        files = {path: (static_file(name, package=_PACKAGE), kind) for path, (name, kind) in _FILES.items()}
        files |= {path: (static_file(name), kind) for path, (name, kind) in _SHARED.items()}
        self._site = Site(gate, files=files, socket_path=_SOCKET)
        self._page: Any = None
        self._player: tuple[int, Player] | None = None
        # One thread: a player and a table are for one.
        self._worker = ThreadPoolExecutor(1, "edgevid-label")
        self._answers: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
            "open": self._open,
            "show": self._show,
            "next": self._next,
            "save": self._save,
        }

    async def serve(self, bound: socket.socket, beat: Callable[[], bool] = lambda: True) -> None:
        """Serve until `beat` returns False.

        Args:
            bound: The listening socket.
            beat: Called a few times a second.
        """
        try:
            async with self._site.serving(bound, self._handle, largest_message_bytes=_LARGEST_MESSAGE_BYTES) as serving:
                while beat():
                    await asyncio.sleep(_STEP_S)
                serving.close(code=_GOING_AWAY)
                self._site.clients.abort()
        finally:
            self._worker.shutdown()

    async def _handle(self, connection: Any) -> None:
        """Serve one page. It takes over from one that is open: two would overwrite each other's events."""
        before, self._page = self._page, connection
        with contextlib.suppress(closed_error()):
            if before is not None:
                await before.close(_OPENED_ELSEWHERE, "opened elsewhere")
            await _tell(connection, self._hello())
            async for message in connection:
                await self._receive(connection, message)
        if self._page is connection:
            self._page = None

    def _hello(self) -> dict[str, Any]:
        videos = [{"name": name, "events": self._count(video)} for name, video in self._videos]
        return {"kind": "hello", "videos": videos, "labels": self._sheet.labels, "file": self._sheet.path.name}

    def _count(self, video: Path) -> int | None:
        recording = self._sheet.find(video)
        return None if recording is None else len(recording.events)

    async def _receive(self, connection: Any, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            answer = self._answers[message["do"]]
            await answer(connection, message)
        except (EdgevidError, OSError) as error:
            await _tell(connection, {"kind": "failed", "id": message.get("id"), "text": str(error)})
        except (ValueError, KeyError, TypeError, RecursionError, _Malformed):
            await connection.close(_NOT_UNDERSTOOD, "not understood")

    async def _open(self, connection: Any, message: dict[str, Any]) -> None:
        index = self._index(message)
        player = await self._in_worker(self._play, index)
        recording = self._sheet.find(self._videos[index][1])
        known = recording or Recording(path=self._videos[index][1], events=())
        about = {
            "kind": "video",
            "video": index,
            "name": self._videos[index][0],
            "length_s": player.length_s,
            "frame_s": player.frame_s,
            "events": [[event.label, event.start_s, event.end_s] for event in known.events],
            "group": known.group,
            "condition": known.condition,
            "stated": recording is not None,
        }
        await _tell(connection, about)

    async def _show(self, connection: Any, message: dict[str, Any]) -> None:
        index, number, time_s = self._index(message), _number(message), _time(message, "time_s")
        moves: dict[str, Callable[[Player, float], Shot | None]] = {
            "at": Player.at,
            "after": Player.after,
            "before": Player.before,
        }
        move = moves[message["move"]]
        await _send_shot(connection, number, await self._in_worker(lambda: move(self._play(index), time_s)))

    async def _next(self, connection: Any, message: dict[str, Any]) -> None:
        """Send some frames, one after the other."""
        index, number, time_s = self._index(message), _number(message), _time(message, "time_s")
        for _ in range(_MOST_FRAMES):
            after_s = time_s
            shot = await self._in_worker(lambda: self._play(index).after(after_s))  # noqa: B023  # awaited at once
            await _send_shot(connection, number, shot)
            if shot is None or shot.is_last:
                return
            time_s = shot.time_s

    async def _save(self, connection: Any, message: dict[str, Any]) -> None:
        index, number = self._index(message), _number(message)
        recording = Recording(
            path=self._videos[index][1],
            events=tuple(_event(each) for each in message["events"]),
            group=_text(message, "group"),
            condition=_text(message, "condition"),
        )

        def put() -> None:
            length_s = self._play(index).length_s
            self._sheet.put(recording, is_stated=message["stated"] is True, length_s=length_s)

        try:
            await self._in_worker(put)
        except (EdgevidError, OSError) as error:
            await _tell(connection, {"kind": "refused", "id": number, "text": str(error)})
        else:
            count = self._count(recording.path)
            await _tell(connection, {"kind": "saved", "id": number, "video": index, "events": count})

    def _play(self, index: int) -> Player:
        """Return the player of a video, in the worker. One video is open at a time."""
        if self._player is None or self._player[0] != index:
            player = Player(self._videos[index][1])
            if self._player is not None:
                self._player[1].close()
            self._player = index, player
        return self._player[1]

    async def _in_worker(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, call, *arguments)

    def _index(self, message: dict[str, Any]) -> int:
        index = message["video"]
        if type(index) is not int or not 0 <= index < len(self._videos):
            raise _Malformed
        return index


def _number(message: dict[str, Any]) -> int:
    number = message["id"]
    if type(number) is not int or not 0 <= number < 2**32:
        raise _Malformed
    return number


def _time(message: dict[str, Any], name: str) -> float:
    # Far above any recording; `round` to nanoseconds needs a finite number.
    time_s = _seconds(message[name])
    return min(max(time_s, -1.0), 1e9) if time_s == time_s else 0.0  # noqa: PLR0124  # not a number


def _seconds(value: Any) -> float:
    if type(value) not in (int, float):
        raise _Malformed
    return seconds(value)


def _text(message: dict[str, Any], name: str) -> str:
    if not isinstance(message[name], str):
        raise _Malformed
    return message[name]


def _event(content: Any) -> TrueEvent:
    label, start_s, end_s = content
    if not isinstance(label, str):
        raise _Malformed
    # Microseconds: what a person marks has no more.
    return TrueEvent(label, round(_seconds(start_s), 6), round(_seconds(end_s), 6))


async def _tell(connection: Any, message: dict[str, Any]) -> None:
    await connection.send(json.dumps(message))


async def _send_shot(connection: Any, number: int, shot: Shot | None) -> None:
    if shot is None:
        await _tell(connection, {"kind": "none", "id": number})
    else:
        await connection.send(struct.pack(_HEAD, number, shot.is_last, shot.time_s) + shot.jpeg)
