"""What the loop tells about itself while it runs: two numbers a frame, read by whoever watches it from another thread."""

from __future__ import annotations

import threading
import time


class Pulse:
    """The loop's sign of life. Written by the loop only.

    Attributes:
        frames: Frames that went all the way through.
        busy_ns: Time spent on them.
        began_ns: When the frame in hand was taken up, on the monotonic clock; 0 while the loop waits for one.
        thread: Identity of the loop's thread; None while it does not run.
    """

    __slots__ = ("began_ns", "busy_ns", "frames", "thread")

    def __init__(self) -> None:
        self.frames = self.busy_ns = self.began_ns = 0
        self.thread: int | None = None

    def loop_started(self) -> None:
        """Say that the loop runs in the calling thread."""
        self.thread = threading.get_ident()

    def loop_ended(self) -> None:
        """Say that the loop has ended: its thread may end too, and must not be asked about any more."""
        self.thread = None

    def processor_ns(self) -> int | None:
        """Say how much processor time the loop's thread has used.

        Returns:
            Nanoseconds; None where the system does not tell, or the loop does not run.
        """
        if self.thread is None or not hasattr(time, "pthread_getcpuclockid"):
            return None
        return time.clock_gettime_ns(time.pthread_getcpuclockid(self.thread))

    def frame_started(self, now_ns: int) -> None:
        """Take up a frame.

        Args:
            now_ns: Monotonic time.
        """
        self.began_ns = now_ns

    def frame_done(self, now_ns: int) -> None:
        """Be done with it.

        Args:
            now_ns: Monotonic time.
        """
        self.busy_ns += now_ns - self.began_ns
        self.began_ns = 0
        self.frames += 1

    def stuck_s(self, now_ns: int) -> float:
        """Say how long the frame in hand has been in hand.

        Args:
            now_ns: Monotonic time.

        Returns:
            Seconds; 0 while the loop waits for a frame.
        """
        began_ns = self.began_ns
        return (now_ns - began_ns) / 1e9 if began_ns else 0.0
