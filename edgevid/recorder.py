"""Records every frame that the loop sees, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from queue import Full, Queue

import numpy as np

from edgevid.capture.feeds.buffers import Buffers
from edgevid.capture.recording import RecordingWriter
from edgevid.errors import EdgevidError, UsageError
from edgevid.frames import Frame
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.output import QuietOutput

_WAITING = 3
_LEAVE_S = 30.0
_log = logging.getLogger(__name__)


class Recorder(QuietOutput):
    """Copies frames and hands them to a thread that compresses and writes them. What it is too slow for is dropped and counted.

    Args:
        path: The `.avi` file to be made; its times go into a `.pts` beside it.

    Raises:
        UsageError: The name has another ending, the folder is missing, or a file of that name is there.

    Attributes:
        dropped: Frames that were not written.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise UsageError(
                expected="a folder to record into", found=f"{path.parent}, which is not there", path=path.parent
            )
        self.dropped = self._written = 0
        self._problem: str | None = None
        self._writer = RecordingWriter(path)
        self._buffers = Buffers()
        self._waiting: Queue[Frame | None] = Queue(_WAITING)
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="edgevid-recorder", daemon=True)
        self._thread.start()

    def saw(self, frame: Frame) -> None:
        """Copy a frame for the thread.

        Args:
            frame: A picture.

        Cost: one copy of the frame.
        """
        if self._broken or self._waiting.full():
            self.dropped += 1
            return
        copied = self._buffers.take(frame.data.shape)
        np.copyto(copied, frame.data)
        try:
            self._waiting.put_nowait(Frame(copied, frame.color, frame.timestamp_ns, frame.index))
        except Full:
            self.dropped += 1

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Frames written and left out.
        """
        delivered, dropped = {"frame": self._written}, {"busy": self.dropped}
        return Report(
            name="record", waiting=self._waiting.qsize(), delivered=delivered, dropped=dropped, problem=self._problem
        )

    def close(self) -> None:
        """Write what waits and finish the files."""
        self._waiting.put(None)
        self._thread.join(_LEAVE_S)
        if self.dropped:
            _log.warning("%s lacks %d frames, for which writing was too slow.", self._writer.path, self.dropped)

    def _run(self) -> None:
        try:
            while (frame := self._waiting.get()) is not None:
                if not self._broken:
                    self._write(frame)
                self._buffers.give(frame.data)
        finally:
            self._writer.close()

    def _write(self, frame: Frame) -> None:
        try:
            self._writer.write(frame)
            self._written += 1
        except (EdgevidError, OSError) as error:
            # The disk may be full; seeing goes on.
            self._broken, self._problem = True, f"recording ended: {error}"
            _log.error("Recording ended: %s", error)
