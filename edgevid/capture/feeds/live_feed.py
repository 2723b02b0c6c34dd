"""Reads a live source in its own thread, and opens it again when it fails or hangs.

This is the policy "live": the newest frame wins. Frames that come while the loop is busy are
dropped, oldest first, and counted. A camera can fail in two ways. It can end, because it was
unplugged or the server is down: the same thread opens it again, with growing pauses. Or it can hang
inside its driver, in a call that Python cannot interrupt: that thread is abandoned, and another one
opens the camera.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue

from edgevid.capture.feeds.buffers import BufferedSource
from edgevid.capture.source import Source
from edgevid.errors import SourceError, SourceStalled
from edgevid.frames import Frame

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
# A camera that hangs this often without one frame in between will not recover in this process.
MAX_HANGS = 3
# Deliver a frame this often even if nobody wants one. Otherwise a working camera would look
# stalled.
_HEARTBEAT_NS = 500_000_000
# A hanging reader cannot be joined, so wait only this long for one that works.
_JOIN_S = 1.0
_log = logging.getLogger(__name__)


class LiveFeed:
    """The newest frame of a live source, at each request.

    Args:
        source: An open source. The feed does not close it, but closes the sources that it opens in
            its place.
        stall_s: A source that delivers nothing for this many seconds counts as hanging.
        wanted: Predicate over a frame's time in nanoseconds: whether anybody will look at that
            frame. A camera need not decode the others. Called in the reader thread.
    """

    def __init__(self, source: Source, *, stall_s: float, wanted: Callable[[int], bool] = lambda _ns: True) -> None:
        self._stall_s = stall_s
        self._wanted = wanted
        self._stopped = False
        self._hangs = 0
        # Counts of the readers that were abandoned.
        self._late = self._passed = 0
        self._reconnects = 0
        self._reader = _Reader(source, wanted)

    @property
    def late(self) -> int:
        """Number of frames dropped because a newer one came while the loop was busy."""
        return self._late + self._reader.late

    @property
    def passed(self) -> int:
        """Number of frames that nobody wanted and the source did not decode."""
        return self._passed + self._reader.passed

    @property
    def reconnects(self) -> int:
        """How often the source was opened again."""
        return self._reconnects + self._reader.reconnects

    @property
    def connected(self) -> bool:
        """Whether the source is open, as far as is known."""
        return not self._reader.connecting

    def frames(self) -> Generator[Frame]:
        """Deliver the newest frame at each request.

        The frames end with `stop`, or with a source that cannot be opened again.

        Yields:
            Frames. A buffer is valid until the next frame is requested.

        Raises:
            SourceStalled: The source hangs, and cannot be opened again or did not recover by it.
            SourceError: A source that cannot be opened again failed.
        """
        self._reader.start()
        try:
            while (frame := self._next()) is not None:
                yield frame
                self._reader.source.release(frame)
        finally:
            self._reader.stop()

    def stop(self) -> None:
        """End after the current frame. May be called from a signal handler or another thread."""
        self._stopped = True
        # `SimpleQueue.put` is reentrant, so a signal handler may call it.
        self._reader.queue.put(None)

    def _next(self) -> Frame | None:
        while not self._stopped:
            try:
                item = self._reader.queue.get(timeout=self._stall_s)
            except Empty:
                self._replace_reader()
                continue
            if isinstance(item, BaseException):
                raise item
            self._hangs = 0
            return item
        return None

    def _replace_reader(self) -> None:
        """Abandon a reader that hangs in its source; start another one that opens the source again."""
        reader = self._reader
        # A reader that is busy opening the source does not hang: a camera may be away for hours.
        if reader.connecting:
            return
        self._hangs += 1
        if not reader.source.reopens or self._hangs > MAX_HANGS:
            raise SourceStalled(
                expected=f"a frame from {reader.source.name} within {self._stall_s:g} s",
                found="none",
                hint="Check the camera, its cable and the network.",
            )
        _log.warning("%s delivered no frame for %g s; opening it again.", reader.source.name, self._stall_s)
        self._late, self._passed, self._reconnects = self.late, self.passed, self.reconnects
        reader.abandon()
        self._reader = _Reader(reader.source, self._wanted, hung=True)
        self._reader.start()


class _Reader:
    """A thread that reads one source, and opens it again whenever it ends.

    Args:
        source: An open source; its owner closes it.
        wanted: See `LiveFeed`.
        hung: Whether another thread hangs in `source`. This reader then begins by opening it again,
            and leaves the closing to that thread, in case it ever returns.

    Attributes:
        queue: What the loop takes next: a frame, an error to raise, or None at the end. At most one
            frame.
        connecting: Whether the source is being opened again.
    """

    def __init__(self, source: Source, wanted: Callable[[int], bool], *, hung: bool = False) -> None:
        self.source = source
        self.queue: SimpleQueue[Frame | BaseException | None] = SimpleQueue()
        self.connecting = hung
        self.late = self.passed = 0
        self.reconnects = 0
        self._stopped = threading.Event()
        self._wanted = wanted
        self._delivered_ns: int | None = None
        self._hung = hung
        self._owns_source = False
        self._thread = threading.Thread(target=self._run, name="edgevid-camera", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def abandon(self) -> None:
        # Closing a camera in which a thread hangs may crash, so the hanging thread closes it if it
        # returns.
        self._owns_source = True
        self._stopped.set()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                error = None if self.connecting else self._read()
                if not self.source.reopens:
                    self.queue.put(error)
                    return
                self._reopen(error)
        except BaseException as error:  # noqa: BLE001  # raised again in the loop's thread
            self.queue.put(error)
        finally:
            if self._owns_source:
                self.source.close()

    def _read(self) -> SourceError | None:
        """Deliver frames until the source ends, and return the error that ended it."""
        if isinstance(self.source, BufferedSource):
            self.source.wanted = self._wants
        try:
            for frame in self.source.frames():
                if self._stopped.is_set():
                    break
                self._deliver(frame)
        except SourceError as error:
            return error
        return None

    def _wants(self, timestamp_ns: int) -> bool:
        """Return whether the source should decode this frame; count it as passed otherwise."""
        quiet_ns = None if self._delivered_ns is None else timestamp_ns - self._delivered_ns
        # A stopped reader wants every frame, because the loop over them checks for the stop.
        if (
            self._stopped.is_set()
            or quiet_ns is None
            or not 0 <= quiet_ns < _HEARTBEAT_NS
            or self._wanted(timestamp_ns)
        ):
            self._delivered_ns = timestamp_ns
            return True
        self.passed += 1
        return False

    def _deliver(self, frame: Frame) -> None:
        """Queue a frame in place of one that still waits."""
        try:
            waiting = self.queue.get_nowait()
        except Empty:
            waiting = frame
        if waiting is None:  # `LiveFeed.stop` was called: put its mark back
            self._stopped.set()
            self.queue.put(None)
            return
        if waiting is not frame and isinstance(waiting, Frame):
            self.late += 1
            self.source.release(waiting)
        self.queue.put(frame)

    def _reopen(self, error: SourceError | None) -> None:
        """Try to open the source, with growing pauses, until it opens or the reader is stopped."""
        if self._stopped.is_set():
            return
        if not self.connecting:
            _log.warning("%s Opening it again.", error or f"{self.source.name} ended.")
        self.connecting, pause_s = True, FIRST_PAUSE_S
        while not self._stopped.wait(pause_s):
            try:
                if not self._hung:
                    self.source.close()
                self.source = self.source.reopen()
            except SourceError as fault:
                _log.info("%s", fault)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                _log.warning("%s is open again.", self.source.name)
                self.reconnects += 1
                # This reader opened it, so this reader closes it.
                self._owns_source, self._hung, self.connecting = True, False, False
                return
