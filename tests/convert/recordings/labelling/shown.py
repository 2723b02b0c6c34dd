"""A page that marks events, served by a thread."""

from __future__ import annotations

import threading
from pathlib import Path

from convert.recordings.labelling.page import LabelPage, open_sheet
from tests.clips.videos import write_numbered


class Shown:
    """A page with two recordings: `a.mp4` of 4 s, and `b.avi`, Motion JPEG, of 2 s.

    Args:
        folder: An empty one.
        labels: Classes to offer.
    """

    def __init__(self, folder: Path, *, labels: tuple[str, ...] = ("wave", "jump")) -> None:
        self.folder = folder / "streams"
        write_numbered(self.folder / "a.mp4", count=100)
        write_numbered(self.folder / "b.avi", count=50)
        self.file = folder / "events.csv"
        self.labels = labels
        self.open()

    def open(self) -> None:
        """Start the page."""
        videos, self.sheet = open_sheet(self.folder, self.file, labels=self.labels)
        page = LabelPage(videos, self.sheet)
        self.address = page.address
        self.host = page.address.partition("//")[2].partition("/")[0]
        self.token = page.address.partition("token=")[2]
        self._end = threading.Event()
        self._thread = threading.Thread(target=page.serve, args=(lambda: not self._end.is_set(),))
        self._thread.start()

    def close(self) -> None:
        """End the page."""
        self._end.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def rows(self) -> list[str]:
        """The rows of the file without its heading."""
        return self.file.read_text().splitlines()[1:] if self.file.exists() else []
