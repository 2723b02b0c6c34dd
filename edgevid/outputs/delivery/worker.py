"""A thread that is replaced when it dies or hangs. Every output that can block has one.

Python cannot end a thread that hangs in a call. `Worker` marks such a run as replaced, calls
`rescue` to close the socket or file that the thread waits for, and starts a new thread after a
pause that doubles with each failure. If the old thread ever returns, it finds its run replaced
and ends.

A run calls `WorkerRun.heartbeat` before each call that may hang and `WorkerRun.idle` before each
wait that is no fault. From a heartbeat to the next call of either there are `stuck_s` seconds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic_ns

from edgevid.errors import OutputError
from edgevid.units import NS_PER_S

# With the second between two calls of `check`, a hang is detected within 10 s.
STUCK_S = 8.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
# A thread that hangs for ever keeps its memory. With this many, start another when one has ended.
MOST_HUNG = 4
# For a rescued thread to leave its call.
_LEAVE_S = 0.2
_log = logging.getLogger(__name__)


class WorkerRun:
    """One run of the work, in one thread.

    Attributes:
        cancelled: Set when the run is replaced or has to finish.
        replaced: Whether the run was replaced; it must not take on anything more.
        began_ns: Start on the monotonic clock.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.replaced = False
        self.began_ns = monotonic_ns()
        self._beat_ns: int | None = self.began_ns

    def heartbeat(self) -> None:
        """Mark progress: a call that may hang starts now."""
        self._beat_ns = monotonic_ns()

    def idle(self) -> None:
        """Mark the start of a wait that may take any time, until the next heartbeat."""
        self._beat_ns = None

    def silent_s(self, now_ns: int) -> float:
        """Return the seconds since the last heartbeat; 0 while idle.

        Args:
            now_ns: Time on the monotonic clock.
        """
        # Read once: the other thread may set it to None between a check and its use.
        beat_ns = self._beat_ns
        return 0.0 if beat_ns is None else (now_ns - beat_ns) / NS_PER_S


class Pause:
    """A pause that doubles with each failure.

    Args:
        first_s: The first pause.
        longest_s: The upper limit.
    """

    def __init__(self, first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the pause in seconds after one more failure."""
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return pause_s

    def reset(self) -> None:
        """Go back to the first pause."""
        self._next_s = self._first_s


class Worker:
    """Keeps one thread running.

    Args:
        name: Name of the output in logs and metrics.
        work: Runs in the thread until its run is cancelled. An exception ends the run; another run
            starts after a pause.
        rescue: Makes a thread that hangs return. Called in the thread of `check`; must not block.
        stuck_s: Longest time without a heartbeat.
        pause: Between runs.

    Attributes:
        restarts: Runs after the first.
        hangs: Runs that hung.
        problem: The current problem in one line; None if there is none.
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
        """Start the first run."""
        with self._lock:
            self._start_run()

    def check(self, now_ns: int) -> None:
        """Replace a run that hangs, and start the next run when it is due.

        Call it about once a second.

        Args:
            now_ns: Time on the monotonic clock.
        """
        with self._lock:
            if self._finishing:
                return
            run = self._current
            if run is not None and not self._threads[-1].is_alive():
                # By SystemExit, for instance, which a user's function may raise.
                self._end_run(run, "its thread ended", now_ns)
            elif run is not None and (silent_s := run.silent_s(now_ns)) > self._stuck_s:
                self.hangs += 1
                self._end_run(run, f"no progress for {silent_s:.0f} s", now_ns)
                self._rescue()
            if self._due_ns is not None and now_ns >= self._due_ns:
                self._restart()

    def finish(self) -> None:
        """Cancel the current run and start no other. Does not block."""
        with self._lock:
            self._finishing = True
            if self._current is not None:
                self._current.cancelled.set()

    def join(self, deadline_ns: int) -> bool:
        """Wait for the thread to end after `finish`; rescue it at the deadline and leave it behind.

        Args:
            deadline_ns: Time on the monotonic clock.

        Returns:
            Whether the thread ended.
        """
        with self._lock:
            thread = self._threads[-1] if self._current is not None else None
        if thread is None:
            return True
        thread.join(max(0.0, (deadline_ns - monotonic_ns()) / NS_PER_S))
        if thread.is_alive():
            self._rescue()
            thread.join(_LEAVE_S)
        return not thread.is_alive()

    def note_success(self) -> None:
        """Clear the problem, and log that if there was one."""
        if self.problem is not None:
            _log.warning("edgevid: %s works again.", self.name)
            self.problem = None
            self._pause.reset()

    def note_problem(self, problem: str) -> None:
        """Record a problem, and log it unless it is the current one.

        Args:
            problem: One line, without secrets.
        """
        if problem != self.problem:
            _log.warning("edgevid: %s: %s", self.name, problem)
        self.problem = problem

    def _start_run(self) -> None:
        self._due_ns = None
        self._current = WorkerRun()
        # A daemon: a thread that hangs for ever must not keep the process from exiting.
        thread = threading.Thread(target=self._main, args=(self._current,), name=f"edgevid-{self.name}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _restart(self) -> None:
        if sum(each.is_alive() for each in self._threads) < MOST_HUNG:
            self.restarts += 1
            self._start_run()

    def _main(self, run: WorkerRun) -> None:
        try:
            self._work(run)
        except OutputError as error:
            self._fail(run, str(error))
        except Exception as error:  # noqa: BLE001  # any fault costs this output a pause, never the run
            self._fail(run, f"{type(error).__name__}: {error}")

    def _fail(self, run: WorkerRun, problem: str) -> None:
        with self._lock:
            if not run.replaced and not self._finishing:
                self._end_run(run, problem, monotonic_ns())

    def _end_run(self, run: WorkerRun, problem: str, now_ns: int) -> None:
        """Mark a failed run as replaced and schedule the next."""
        run.replaced = True
        run.cancelled.set()
        self._current = None
        # A run that lasted longer than the longest pause was healthy: its failure is a first one.
        if now_ns - run.began_ns > LONGEST_PAUSE_S * NS_PER_S:
            self._pause.reset()
        self._due_ns = now_ns + round(self._pause.next_s() * NS_PER_S)
        self.note_problem(problem)
