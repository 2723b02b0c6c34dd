"""The page that marks events, from the choice of files to the address in the browser."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from convert.recordings.labelling.server import LabelServer
from convert.recordings.labelling.sheet import Sheet
from convert.recordings.streams import StreamFolder
from edgevid import atomic
from edgevid.capture.video.containers import VIDEO_SUFFIXES
from edgevid.errors import TruthError, UsageError
from edgevid.outputs.addresses import Endpoint, listen
from edgevid.outputs.web import site
from edgevid.outputs.web.gate import Gate

_HOST = "localhost"
_TOKEN_BYTES = 24
_MOST_PORT = 65_535
Videos = Sequence[tuple[str, Path]]


class LabelPage:
    """A page on this machine. Its address holds a token: other users of the machine have none.

    Args:
        videos: The recordings with their names; nothing else can be read through the page.
        sheet: The table of events.
        port: 0 for any free port.

    Attributes:
        address: The URL to open in a browser.

    Raises:
        UsageError: The port is in use, or is none.
        MissingDependency: websockets is not installed.
    """

    def __init__(self, videos: Videos, sheet: Sheet, *, port: int = 0) -> None:
        site.check("edgevid label")
        UsageError.unless(0 <= port <= _MOST_PORT, expected=f"a port from 0 to {_MOST_PORT}", got=port)
        self._bound = listen(Endpoint(host=_HOST, port=port), purpose="--port")
        endpoint = Endpoint(host=_HOST, port=self._bound.getsockname()[1])
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.address = f"http://{endpoint}/?token={token}"
        self._server = LabelServer(videos, sheet, Gate(endpoint, token))

    def serve(self, beat: Callable[[], bool] = lambda: True) -> None:
        """Serve until Ctrl-C, or until `beat` returns False."""
        with self._bound, contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._server.serve(self._bound, beat))


def open_sheet(video: Path, output: Path | None, *, labels: Iterable[str]) -> tuple[Videos, Sheet]:
    """Find the recordings, and open the table of their events.

    Args:
        video: A recording, or a folder of recordings.
        output: The table; None for `events.csv` in the folder.
        labels: Classes to offer.

    Returns:
        The recordings with their names in the folder, and the table.

    Raises:
        UsageError: The recording does not exist, or the table cannot be written there.
        TruthError: There is no recording, or the existing table is wrong.
    """
    if not video.exists():
        raise UsageError(expected="a recording, or a folder of recordings", found=f"none at {video}", path=video)
    streams = StreamFolder(video if video.is_dir() else video.parent)
    videos = streams.videos if video.is_dir() else (video,)
    if not videos:
        raise TruthError(expected="videos", choices=VIDEO_SUFFIXES, found=f"none in {video}", path=video)
    path = output or streams.root / "events.csv"
    atomic.check_folder(path, suffix=".csv")
    return [(streams.name_of(each), each) for each in videos], Sheet(path, streams, labels=labels)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a file with one label a line; empty lines do not count.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(expected="a file of labels, one a line", found=f"{path}: {error}", path=path) from error
    return tuple(line.strip() for line in lines if line.strip())
