"""Reads a camera in a thread of its own: the newest frame wins, and a camera that breaks or hangs is opened again.

This is the policy "live": whatever the loop is too slow for is dropped, oldest first, and counted. A camera can end (unplugged, the server
is gone) or hang inside its driver, in a call that Python cannot interrupt. What ended is opened again by the same thread, with growing
pauses; a thread that hangs is left behind, and another one opens the camera.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue

from edgevid.capture.buffers import BufferedSource
from edgevid.capture.source import Source
from edgevid.errors import SourceError, SourceStalled
from edgevid.frames import Frame

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
# A camera that hangs as often as this without one frame in between will not come back in this process.
MAX_HANGS = 3
# So often a frame is given even where nobody wants one, as a sign of life.
_SIGN_NS = 500_000_000
_LEAVE_S = 1.0
_log = logging.getLogger(__name__)


class LiveFeed:
    """The newest frame of a live source, whenever one is asked for.

    Args:
        source: Open; this does not close it, but closes whatever it opens in its place.
        stall_s: A source that gives nothing for this long hangs, in seconds.
        wanted: Says of the time of a frame whether anybody will look at it, so that a camera need not decode the others. Called in another
            thread.

    Attributes:
        reconnects: How often the source was opened again.
    """

    def __init__(self, source: Source, *, stall_s: float, wanted: Callable[[int], bool] = lambda _ns: True) -> None:
        self._stall_s = stall_s
        self._wanted = wanted
        self._stopped = False
        self._hangs = 0
        self._late = self._passed = 0
        self._reconnects = 0
        self._reader = _Reader(source, wanted)

    @property
    def late(self) -> int:
        """Frames dropped because a newer one came while the loop was busy."""
        return self._late + self._reader.late

    @property
    def passed(self) -> int:
        """Frames that nobody wanted, which were not even decoded."""
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
        """Give the newest frame each time, until a source that cannot be opened again ends, or `stop` is called.

        Yields:
            Frames, valid until the next one is asked for.

        Raises:
            SourceStalled: The source hangs, and opening it again does not help or is not possible.
            SourceError: A source that cannot be opened again broke.
        """
        self._reader.start()
        try:
            while (frame := self._next()) is not None:
                yield frame
                self._reader.source.release(frame)
        finally:
            self._reader.leave()

    def stop(self) -> None:
        """End the frames after the one in hand. May be called from a signal handler or another thread."""
        self._stopped = True
        # A SimpleQueue's put may be called from a signal handler.
        self._reader.given.put(None)

    def _next(self) -> Frame | None:
        while not self._stopped:
            try:
                given = self._reader.given.get(timeout=self._stall_s)
            except Empty:
                self._replace_reader()
                continue
            if isinstance(given, BaseException):
                raise given
            self._hangs = 0
            return given
        return None

    def _replace_reader(self) -> None:
        """Leave a reader that hangs in its source and let another one open it; one that is busy opening is not hanging."""
        reader = self._reader
        if reader.connecting:
            return
        self._hangs += 1
        if not reader.source.reopens or self._hangs > MAX_HANGS:
            raise SourceStalled(
                expected=f"a frame from {reader.source.name} within {self._stall_s:g} s",
                found="none",
                hint="Is the camera or network still there?",
            )
        _log.warning("%s gave no frame for %g s; opening it again.", reader.source.name, self._stall_s)
        self._late, self._passed, self._reconnects = self.late, self.passed, self.reconnects
        reader.abandon()
        self._reader = _Reader(reader.source, self._wanted, hung=True)
        self._reader.start()


class _Reader:
    """One thread that reads a source, and opens it again whenever it ends.

    Args:
        source: Open; it stays the caller's.
        wanted: See `LiveFeed`.
        hung: Whether another thread hangs in that source: it is opened again, and closed by that thread should it ever come back.
    """

    def __init__(self, source: Source, wanted: Callable[[int], bool], *, hung: bool = False) -> None:
        self.source = source
        self.given: SimpleQueue[Frame | BaseException | None] = SimpleQueue()
        self.left = threading.Event()
        self.connecting = hung
        self.late = self.passed = 0
        self.reconnects = 0
        self._wanted = wanted
        self._given_ns: int | None = None
        self._hung = hung
        self._closes = False
        self._thread = threading.Thread(target=self._run, name="edgevid-camera", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def abandon(self) -> None:
        self._closes = True
        self.left.set()

    def leave(self) -> None:
        self.left.set()
        self._thread.join(_LEAVE_S)

    def _run(self) -> None:
        """Run in the thread; an error travels to the loop and is raised there."""
        try:
            while not self.left.is_set():
                error = None if self.connecting else self._read()
                if not self.source.reopens:
                    self.given.put(error)
                    return
                self._open_again(error)
        except BaseException as error:  # noqa: BLE001  # raised again in the loop
            self.given.put(error)
        finally:
            if self._closes:
                self.source.close()

    def _read(self) -> SourceError | None:
        """Hand over frames until the source ends; say what ended it."""
        if isinstance(self.source, BufferedSource):
            self.source.wanted = self._wants
        try:
            for frame in self.source.frames():
                if self.left.is_set():
                    break
                self._hand_over(frame)
        except SourceError as error:
            return error
        return None

    def _wants(self, timestamp_ns: int) -> bool:
        """Whether the source shall give this frame, and not only count it."""
        quiet_ns = None if self._given_ns is None else timestamp_ns - self._given_ns
        if self.left.is_set() or quiet_ns is None or not 0 <= quiet_ns < _SIGN_NS or self._wanted(timestamp_ns):
            self._given_ns = timestamp_ns
            return True
        self.passed += 1
        return False

    def _hand_over(self, frame: Frame) -> None:
        """Put the frame in the place of one that still waits."""
        try:
            waiting = self.given.get_nowait()
        except Empty:
            waiting = frame
        if waiting is None:  # the loop was told to stop
            self.left.set()
            self.given.put(None)
            return
        if waiting is not frame and isinstance(waiting, Frame):
            self.late += 1
            self.source.release(waiting)
        self.given.put(frame)

    def _open_again(self, error: SourceError | None) -> None:
        """Try with growing pauses until it is open or nobody wants it any more."""
        if self.left.is_set():
            return
        if not self.connecting:
            _log.warning("%s Opening it again.", error or f"{self.source.name} ended.")
        self.connecting, pause_s = True, FIRST_PAUSE_S
        while not self.left.wait(pause_s):
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
                self._closes, self._hung, self.connecting = True, False, False
                return
