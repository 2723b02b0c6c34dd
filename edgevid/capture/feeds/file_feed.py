"""Reads a source in its own thread, so that a source that hangs cannot hang the run.

This is the policy "file": the source waits for the loop, and the loop sees every frame. The policy
"live" is in `edgevid.capture.feeds.live_feed`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import Empty, SimpleQueue

from edgevid.capture.source import Source
from edgevid.errors import SourceStalled
from edgevid.frames import Frame

# A hanging reader cannot be joined, so wait only this long for one that works.
_JOIN_S = 1.0


class FrameFeed:
    """The frames of a source, one at a time.

    The next frame is requested when the loop is done with the current one, as `Source.frames`
    demands.

    Args:
        source: An open source; the caller closes it.
        stall_s: Longest wait for a frame in seconds, above 0.

    Attributes:
        late: Always 0: no frame is dropped.
        passed: Always 0: every frame is delivered.
        reconnects: Always 0: the source is never opened again.
        connected: Always true.
    """

    late = passed = 0
    reconnects = 0
    connected = True

    def __init__(self, source: Source, *, stall_s: float) -> None:
        self._source = source
        self._stall_s = stall_s
        # `SimpleQueue.put` is reentrant, so a signal handler may call `stop`.
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[Frame | BaseException | None] = SimpleQueue()

    def frames(self) -> Generator[Frame]:
        """Deliver frames until the source ends or `stop` is called.

        Yields:
            Frames. A buffer is valid until the next frame is requested.

        Raises:
            SourceStalled: No frame came for `stall_s`.
            SourceError: The source failed.
        """
        # A driver or decoder may block inside a call that Python cannot interrupt. Only this thread
        # hangs then: the loop waits for its answer with a limit.
        reader = threading.Thread(target=self._read, name="edgevid-feed", daemon=True)
        reader.start()
        try:
            while (frame := self._next()) is not None:
                yield frame
                self._source.release(frame)
        finally:
            self._requests.put(False)
            reader.join(_JOIN_S)

    def stop(self) -> None:
        """End after the current frame. May be called from a signal handler or another thread."""
        self._answers.put(None)

    def _next(self) -> Frame | None:
        self._requests.put(True)
        try:
            answer = self._answers.get(timeout=self._stall_s)
        except Empty:
            raise SourceStalled(
                expected=f"a frame from {self._source.name} within {self._stall_s:g} s",
                found="none",
                hint="Check the camera, its cable and the network.",
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _read(self) -> None:
        """Answer each request with the next frame, None at the end, or the error of the source."""
        try:
            frames = self._source.frames()
            while self._requests.get():
                self._answers.put(next(frames, None))
        except BaseException as error:  # noqa: BLE001  # raised again in the loop's thread
            self._answers.put(error)
