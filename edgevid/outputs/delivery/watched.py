"""A member of the outputs that has one thread of its own, which is watched: what metrics, page, pictures and clips share."""

from __future__ import annotations

from collections.abc import Callable

from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.worker import Worker, WorkerRun


class RestartingOutput:
    """Keeps one thread at work from `start` to `join`.

    Attributes:
        name: For logs and metrics; set by each class.
    """

    name: str

    def __init__(self, work: Callable[[WorkerRun], None], *, rescue: Callable[[], None] = lambda: None) -> None:
        self._worker = Worker(self.name, work, rescue=rescue)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def check(self, now_ns: int) -> None:
        """Look whether the thread hangs or died.

        Args:
            now_ns: On the monotonic clock.
        """
        self._worker.check(now_ns)

    def finish(self, deadline_ns: int) -> None:
        """Tell the thread to end.

        Args:
            deadline_ns: Until when what waits may still be tried, on the monotonic clock; most of these hold nothing that waits.
        """
        self._worker.finish()

    def join(self, deadline_ns: int) -> int:
        """Wait for the thread to end.

        Args:
            deadline_ns: On the monotonic clock.

        Returns:
            Starts and ends of events that were not given out: 0, where nothing waits.
        """
        self._worker.join(deadline_ns)
        return 0

    def _report(self, *, waiting: int = 0, delivered: dict[str, int], dropped: dict[str, int] | None = None) -> Report:
        """Say how it is doing, with what the thread's watch knows."""
        worker = self._worker
        return Report(
            name=self.name,
            waiting=waiting,
            delivered=delivered,
            dropped=dropped or {},
            restarts=worker.restarts,
            problem=worker.problem,
        )
