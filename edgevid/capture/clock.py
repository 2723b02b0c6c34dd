"""Whose time a frame has: the sensor's where it can be believed, else that of its arrival."""

from __future__ import annotations

from typing import Literal

_NS_PER_S = 1_000_000_000
# A frame older than this is not on our clock: drivers hold a few frames at most.
MAX_AGE_NS = 5 * _NS_PER_S
# Some drivers stamp a frame with the end of its interval, which may still be to come: the kernel's vivid is up to 40 ms ahead.
MAX_AHEAD_NS = 100_000_000
# Clocks of cameras drift by some 50 parts in a million; the offset may grow by four times that and is else held.
_DRIFT = 5000
_RESET_NS = 2 * _NS_PER_S

TimeBase = Literal["sensor", "stream", "arrival"]


def sensor_ns(stamp_ns: int | None, arrived_ns: int) -> int | None:
    """Give a driver's time stamp if it is one of the monotonic clock.

    Args:
        stamp_ns: What the driver said; None or 0 where it said nothing.
        arrived_ns: When the frame came, on the monotonic clock.

    Returns:
        The stamp, or None where it lies further ahead or back than a driver's can: it uses another clock.
    """
    return stamp_ns if stamp_ns and -MAX_AHEAD_NS <= arrived_ns - stamp_ns <= MAX_AGE_NS else None


class StreamClock:
    """Puts the time stamps of a network stream onto this machine's monotonic clock.

    Frames come late by what the network takes, which varies; the sender's stamps do not. The least lateness seen so far is taken as the
    distance of the two clocks, so that a burst of frames keeps its true intervals. Age is then what the network adds to its best.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._last_ns = -1

    def to_monotonic_ns(self, stamp_ns: int, arrived_ns: int) -> int:
        """Give a frame's time.

        Args:
            stamp_ns: The stream's own.
            arrived_ns: When it came, on the monotonic clock.

        Returns:
            A time on the monotonic clock, not after `arrived_ns`. That itself where the stream's time stands still or goes back.
        """
        step_ns, self._last_ns = stamp_ns - self._last_ns, stamp_ns
        offset_ns = arrived_ns - stamp_ns
        if step_ns <= 0:
            return arrived_ns
        if self._offset_ns is None or offset_ns - self._offset_ns > _RESET_NS:
            self._offset_ns = offset_ns
        self._offset_ns = min(offset_ns, self._offset_ns + step_ns // _DRIFT)
        return stamp_ns + self._offset_ns


class FrameCounter:
    """Counts frames by their times, for drivers that do not number them: a hole of two usual intervals is one frame that was lost."""

    def __init__(self) -> None:
        self._index = -1
        self._last_ns = 0
        self._usual_ns = 0

    def index(self, stamp_ns: int) -> int:
        """Number a frame.

        Args:
            stamp_ns: Its time.

        Returns:
            The number of the frame before, plus one, plus those that seem lost.
        """
        step_ns = stamp_ns - self._last_ns if self._index >= 0 else 0
        lost = round(step_ns / self._usual_ns) - 1 if self._usual_ns else 0
        if step_ns > 0:
            # A camera may slow down in the dark, so what is usual follows, but one hole hardly moves it.
            self._usual_ns += (min(step_ns, 2 * self._usual_ns) - self._usual_ns) // 16 if self._usual_ns else step_ns
        self._last_ns = stamp_ns
        self._index += 1 + max(0, lost)
        return self._index
