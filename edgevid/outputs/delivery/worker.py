"""A thread that is replaced when it dies or hangs: every output that can wait for something has one.

Python cannot end a thread that hangs in a call. So a hung thread is told that its run is over, its way out is cut (`rescue` closes the
socket or file that it waits for), and a new one begins after a pause that grows with each failure. The old one, should it ever return, finds
its term over and ends. Every wait that is no fault is marked with `WorkerRun.idle`; everything between a `beat` and the next has `stuck_s` to end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic_ns

from edgevid.errors import OutputError

# Found within 10 s: this, and the second between two looks of whoever calls `check`.
STUCK_S = 8.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
# Threads that hang for ever keep their memory; past this many no new one is begun until one of them ends.
MOST_HUNG = 4
_NS_PER_S = 1_000_000_000
_log = logging.getLogger(__name__)


class WorkerRun:
    """One thread's time at work.

    Attributes:
        over: Set when the thread has been replaced, or is to finish.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.replaced = False
        self.began_ns = monotonic_ns()
        self._beat_ns: int | None = self.began_ns

    def heartbeat(self) -> None:
        """Say that work goes on: something that may hang begins now."""
        self._beat_ns = monotonic_ns()

    def idle(self) -> None:
        """Say that there is nothing to do: until the next beat no silence is too long."""
        self._beat_ns = None

    def silent_s(self, now_ns: int) -> float:
        """Give the time since the last beat.

        Args:
            now_ns: On the monotonic clock.

        Returns:
            Seconds; 0 at rest.
        """
        beat_ns = self._beat_ns
        return 0.0 if beat_ns is None else (now_ns - beat_ns) / _NS_PER_S


class Pause:
    """A wait that doubles with each failure.

    Args:
        first_s: The first wait.
        longest_s: The longest.
    """

    def __init__(self, first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Give the wait after one more failure.

        Returns:
            Seconds.
        """
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return pause_s

    def reset(self) -> None:
        """Begin with the first wait again."""
        self._next_s = self._first_s


class Worker:
    """Keeps one thread at work.

    Args:
        name: Of the output, for logs and metrics.
        work: Runs in the thread until its run is over. What it raises ends the run, and another begins after a pause.
        rescue: Cuts the way out of a thread that hangs. Called in the thread of `check`; must not wait.
        stuck_s: Longest silence.
        pause: Between terms.

    Attributes:
        restarts: Terms that were begun after the first.
        hangs: Threads that were found hanging.
        problem: What is wrong now, in one line; None where nothing is.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[WorkerRun], None],
        *,
        rescue: Callable[[], None] = lambda: None,
        stuck_s: float = STUCK_S,
        pause: Pause | None = None,
    ) -> None:
        self.name = name
        self.restarts = self.hangs = 0
        self.problem: str | None = None
        self._work, self._rescue = work, rescue
        self._stuck_s = stuck_s
        self._pause = pause or Pause()
        self._threads: list[threading.Thread] = []
        self._current: WorkerRun | None = None
        self._due_ns: int | None = None
        self._lock = threading.Lock()
        self._finishing = False

    def start(self) -> None:
        """Begin the first run."""
        with self._lock:
            self._begin()

    def check(self, now_ns: int) -> None:
        """Replace the thread if it hangs, and begin the next term when it is due. To be called every second or so.

        Args:
            now_ns: On the monotonic clock.
        """
        with self._lock:
            if self._finishing:
                return
            run = self._current
            if run is not None and (silent_s := run.silent_s(now_ns)) > self._stuck_s:
                self.hangs += 1
                self._end(run, f"nothing moved for {silent_s:.0f} s", now_ns)
                self._rescue()
            if self._due_ns is not None and now_ns >= self._due_ns:
                self._begin_again()

    def finish(self) -> None:
        """Tell the thread to end; returns at once."""
        with self._lock:
            self._finishing = True
            if self._current is not None:
                self._current.cancelled.set()

    def join(self, deadline_ns: int) -> bool:
        """Wait for the thread to end after `finish`; one that does not is cut off and left behind.

        Args:
            deadline_ns: On the monotonic clock.

        Returns:
            Whether it ended.
        """
        thread = self._threads[-1] if self._current is not None else None
        if thread is None:
            return True
        thread.join(max(0.0, (deadline_ns - monotonic_ns()) / _NS_PER_S))
        if thread.is_alive():
            self._rescue()
            thread.join(0.2)
        return not thread.is_alive()

    def works(self) -> None:
        """Say that the work succeeds: the next failure is the first again."""
        if self.problem is not None:
            _log.warning("edgevid: %s works again.", self.name)
            self.problem = None
            self._pause.reset()

    def failed(self, problem: str) -> None:
        """Note a problem and say it, once until it is gone or another takes its place.

        Args:
            problem: One line, without secrets.
        """
        if problem != self.problem:
            _log.warning("edgevid: %s: %s", self.name, problem)
        self.problem = problem

    def _begin(self) -> None:
        self._due_ns = None
        self._current = WorkerRun()
        thread = threading.Thread(target=self._main, args=(self._current,), name=f"edgevid-{self.name}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _begin_again(self) -> None:
        if sum(each.is_alive() for each in self._threads) < MOST_HUNG:
            self.restarts += 1
            self._begin()

    def _main(self, run: WorkerRun) -> None:
        try:
            self._work(run)
        except OutputError as error:
            self._died(run, str(error))
        except Exception as error:  # noqa: BLE001  # the top of a thread: whatever it was, the run goes on without this output for a while
            self._died(run, f"{type(error).__name__}: {error}")

    def _died(self, run: WorkerRun, problem: str) -> None:
        with self._lock:
            if not run.replaced and not self._finishing:
                self._end(run, problem, monotonic_ns())

    def _end(self, run: WorkerRun, problem: str, now_ns: int) -> None:
        """Close a term that failed and set the time of the next."""
        run.replaced = True
        run.cancelled.set()
        self._current = None
        if now_ns - run.began_ns > LONGEST_PAUSE_S * _NS_PER_S:
            self._pause.reset()
        self._due_ns = now_ns + round(self._pause.next_s() * _NS_PER_S)
        self.failed(problem)
