"""A tap that records every frame of the loop to a file, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from queue import Full, Queue

import numpy as np

from edgevid.capture.feeds.buffers import Buffers
from edgevid.capture.recording import RecordingWriter
from edgevid.errors import UsageError
from edgevid.frames import Frame
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.output import QuietOutput

# Frames that wait for the writer; each holds a copy of a whole frame.
_QUEUE_FRAMES = 3
_CLOSE_TIMEOUT_S = 30.0
_log = logging.getLogger(__name__)


class Recorder(QuietOutput):
    """Copies frames into a queue; a thread compresses and writes them. A full queue drops and counts frames.

    Args:
        path: The `.avi` file to create; the timestamps go into a `.pts` file next to it.

    Raises:
        UsageError: If the name has another suffix, the folder is missing or the file exists.

    Attributes:
        dropped: Frames that were not written.
        problem: Why the recording ended before the run; None if it did not.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir():
            raise UsageError(expected="a folder to record into", found=f"none at {path.parent}", path=path.parent)
        self.dropped = self._written = 0
        self.problem: str | None = None
        self._writer = RecordingWriter(path)
        self._buffers = Buffers()
        self._queue: Queue[Frame | None] = Queue(_QUEUE_FRAMES)
        self._is_broken = False
        self._thread = threading.Thread(target=self._run, name="edgevid-recorder", daemon=True)
        self._thread.start()

    def saw(self, frame: Frame) -> None:
        """Copy a frame into the queue, or drop it if the queue is full.

        Args:
            frame: A picture; its buffer may change after the call.

        Cost: one copy of the frame.
        """
        if self._is_broken or self._queue.full():
            self.dropped += 1
            return
        copy = self._buffers.take(frame.data.shape)
        np.copyto(copy, frame.data)
        try:
            self._queue.put_nowait(Frame(copy, frame.color, frame.timestamp_ns, frame.index))
        except Full:
            self.dropped += 1

    def report(self) -> Report:
        """Report the frames written and dropped, and the error that ended the recording."""
        delivered, dropped = {"frame": self._written}, {"busy": self.dropped}
        return Report(
            name="record", waiting=self._queue.qsize(), delivered=delivered, dropped=dropped, problem=self.problem
        )

    def close(self) -> None:
        """Write the queued frames and finish the files."""
        # A thread that hangs in a write does not empty the queue.
        with contextlib.suppress(Full):
            self._queue.put(None, timeout=_CLOSE_TIMEOUT_S)
        self._thread.join(_CLOSE_TIMEOUT_S)
        if self.dropped and not self._is_broken:
            _log.warning("%s lacks %d frames, for which writing was too slow.", self._writer.path, self.dropped)

    def _run(self) -> None:
        try:
            while (frame := self._queue.get()) is not None:
                # After an error, drain the queue all the same: `close` blocks while it is full.
                if not self._is_broken:
                    self._write(frame)
                self._buffers.give(frame.data)
        finally:
            self._finish()

    def _write(self, frame: Frame) -> None:
        try:
            self._writer.write(frame)
            self._written += 1
        except Exception as error:  # noqa: BLE001  # the top of a thread
            # A full disk or a fault of the encoder ends the recording but not the run.
            self._fail(error)

    def _finish(self) -> None:
        try:
            self._writer.close()
        except Exception as error:  # noqa: BLE001  # the top of a thread
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._is_broken = True
        self.problem = f"recording {self._writer.path} ended after {self._writer.written} frames: {error}"
        _log.error("%s", self.problem)
