"""The base of every built-in output with a thread: sinks, metrics, page, pictures and clips."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.worker import STUCK_S, Worker, WorkerRun
from edgevid.outputs.output import QuietOutput


class ThreadedOutput(QuietOutput, ABC):
    """An output whose work runs in one watched thread, so that it never blocks the loop.

    `FanOut` starts it, passes decisions and events on, calls `check` about once a second, and ends
    it with `finish` and `join`. It does not call `close`.

    Args:
        work: Runs in the thread; see `Worker`.
        rescue: Unblocks a thread that hangs; see `Worker`.
        stuck_s: Longest time without a heartbeat before the thread counts as hung.

    Attributes:
        name: Name in logs and metrics.
    """

    name: str

    def __init__(
        self,
        work: Callable[[WorkerRun], None],
        *,
        rescue: Callable[[], None] = lambda: None,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._worker = Worker(self.name, work, rescue=rescue, stuck_s=stuck_s)

    def start(self) -> None:
        """Start the thread. Called once, before the first decision."""
        self._worker.start()

    def release(self) -> None:
        """Close what the constructor opened, of an output that is never started."""

    def check(self, now_ns: int) -> None:
        """Replace the thread if it hangs or died. Must not block.

        Args:
            now_ns: Time on the monotonic clock.
        """
        self._worker.check(now_ns)

    def finish(self, deadline_ns: int) -> None:
        """Ask the thread to end. Must not block.

        Args:
            deadline_ns: Time on the monotonic clock until which queued messages are retried;
                ignored by outputs without a queue.
        """
        self._worker.finish()

    def join(self, deadline_ns: int) -> int:
        """Wait for the thread to end.

        Args:
            deadline_ns: Latest return, on the monotonic clock.

        Returns:
            The number of starts and ends that were not delivered.
        """
        self._worker.join(deadline_ns)
        return 0

    @abstractmethod
    def report(self) -> Report:
        """Return the counts so far and the current problem."""

    def _report(self, *, waiting: int = 0, delivered: dict[str, int], dropped: dict[str, int] | None = None) -> Report:
        """Add what the watch over the thread knows to an output's own counts."""
        return Report(
            name=self.name,
            waiting=waiting,
            delivered=delivered,
            dropped=dropped or {},
            restarts=self._worker.restarts,
            problem=self._worker.problem,
        )
