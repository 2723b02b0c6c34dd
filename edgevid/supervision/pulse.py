"""The loop's pulse: a few numbers per frame that the supervisor reads from another thread."""

from __future__ import annotations

import threading
import time

from edgevid.units import NS_PER_S


class Pulse:
    """Progress of the loop. Only the loop writes it.

    Attributes:
        frames: Frames processed to the end.
        busy_ns: Time spent on them.
        began_ns: Start of the current frame, monotonic; 0 while the loop waits for one.
        thread: Identity of the loop's thread; None while it does not run.
    """

    # No lock: each attribute is one reference, which the interpreter replaces atomically.
    __slots__ = ("began_ns", "busy_ns", "frames", "thread")

    def __init__(self) -> None:
        self.frames = self.busy_ns = self.began_ns = 0
        self.thread: int | None = None

    def loop_started(self) -> None:
        """Record that the loop runs in the calling thread."""
        self.thread = threading.get_ident()

    def loop_ended(self) -> None:
        """Record that the loop has ended."""
        # The thread may end next, and the clock of an ended thread must not be read.
        self.thread = None

    def processor_ns(self) -> int | None:
        """Return the CPU time of the loop's thread.

        Returns:
            Nanoseconds; None if the system has no such clock or the loop does not run.
        """
        # macOS and Windows lack pthread_getcpuclockid.
        if self.thread is None or not hasattr(time, "pthread_getcpuclockid"):
            return None
        return time.clock_gettime_ns(time.pthread_getcpuclockid(self.thread))

    def frame_started(self, now_ns: int) -> None:
        """Record the start of a frame.

        Args:
            now_ns: Monotonic time.
        """
        self.began_ns = now_ns

    def frame_done(self, now_ns: int) -> None:
        """Record the end of the current frame.

        Args:
            now_ns: Monotonic time.
        """
        self.busy_ns += now_ns - self.began_ns
        self.began_ns = 0
        self.frames += 1

    def stuck_s(self, now_ns: int) -> float:
        """Return how long the current frame has been in progress.

        Args:
            now_ns: Monotonic time.

        Returns:
            Seconds; 0 while the loop waits for a frame.
        """
        # Read once: the loop may reset it between the test and the subtraction.
        began_ns = self.began_ns
        return (now_ns - began_ns) / NS_PER_S if began_ns else 0.0
