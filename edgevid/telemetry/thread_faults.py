"""Faults of the threads that repeat one task: caught, counted and logged, so that none ends unseen."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

_log = logging.getLogger(__name__)
_lock = threading.Lock()
# Of the whole process, as its threads are.
_counts: Counter[str] = Counter()


class Turns:
    """The turns of one thread. A turn that raises is counted, and the next one is tried.

    Args:
        thread: Name of the thread in logs and metrics.

    Attributes:
        problem: The fault of the last turn in one line; None after a good one.
    """

    def __init__(self, thread: str) -> None:
        self.problem: str | None = None
        self._thread = thread
        with _lock:
            _counts[thread] += 0  # a metric that is 0 tells that the thread is watched

    def attempt(self, turn: Callable[[], object]) -> bool:
        """Run one turn. A fault is logged once, until another one or a good turn.

        Args:
            turn: The work of the thread.

        Returns:
            Whether it succeeded.
        """
        try:
            turn()
        except Exception as error:  # noqa: BLE001  # the top of a thread
            self._fail(f"{type(error).__name__}: {error}")
            return False
        if self.problem is not None:
            _log.warning("edgevid: the thread %s works again.", self._thread)
            self.problem = None
        return True

    def _fail(self, problem: str) -> None:
        with _lock:
            _counts[self._thread] += 1
        if problem != self.problem:
            _log.warning("edgevid: a turn of the thread %s failed: %s", self._thread, problem)
        self.problem = problem


def thread_faults() -> dict[str, int]:
    """Return the number of failed turns of each thread of this process."""
    with _lock:
        return dict(_counts)
