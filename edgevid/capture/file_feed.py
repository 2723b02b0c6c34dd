"""Asks a source for its frames in a thread of its own, so that a source that hangs, or a signal, can end the run.

This is the policy "file": the source waits for the loop, and every frame is seen. The policy "live" is in `edgevid.capture.live_feed`.
A camera driver or decoder that blocks for ever blocks inside a call that Python cannot interrupt. Here only the feed's thread waits in it;
the loop waits for the feed, with a limit.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import Empty, SimpleQueue

from edgevid.capture.source import Source
from edgevid.errors import SourceStalled
from edgevid.frames import Frame

_LEAVE_S = 1.0


class FrameFeed:
    """The frames of a source, one at a time: the next one is asked for when this one is done with, as `Source.frames` demands.

    Args:
        source: Open; this does not close it.
        stall_s: Longest wait for a frame, in seconds, > 0.

    Attributes:
        late: Always 0: no frame is dropped.
        passed: Always 0: every frame is given.
        reconnects: Always 0.
        connected: Always true.
    """

    late = passed = 0
    reconnects = 0
    connected = True

    def __init__(self, source: Source, *, stall_s: float) -> None:
        self._source = source
        self._stall_s = stall_s
        # A SimpleQueue's put may be called from a signal handler, which `stop` relies on.
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._given: SimpleQueue[Frame | BaseException | None] = SimpleQueue()

    def frames(self) -> Generator[Frame]:
        """Give frames until the source ends or `stop` is called.

        Yields:
            Frames, valid until the next one is asked for.

        Raises:
            SourceStalled: No frame came for `stall_s`.
            SourceError: The source broke.
        """
        reader = threading.Thread(target=self._read, name="edgevid-feed", daemon=True)
        reader.start()
        try:
            while (frame := self._next()) is not None:
                yield frame
                self._source.release(frame)
        finally:
            self._asked.put(False)
            reader.join(_LEAVE_S)

    def stop(self) -> None:
        """End the frames after the one in hand. May be called from a signal handler or another thread."""
        self._given.put(None)

    def _next(self) -> Frame | None:
        self._asked.put(True)
        try:
            given = self._given.get(timeout=self._stall_s)
        except Empty:
            raise SourceStalled(
                expected=f"a frame from {self._source.name} within {self._stall_s:g} s",
                found="none",
                hint="Is the camera or network still there?",
            ) from None
        if isinstance(given, BaseException):
            raise given
        return given

    def _read(self) -> None:
        """Run in the reader thread: one frame for each that is asked for; an error travels to the loop and is raised there."""
        try:
            frames = self._source.frames()
            while self._asked.get():
                self._given.put(next(frames, None))
        except BaseException as error:  # noqa: BLE001  # raised again in the loop
            self._given.put(error)
