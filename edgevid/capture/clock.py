"""Frame times on the monotonic clock: the sensor's where it is plausible, else the arrival's."""

from __future__ import annotations

from typing import Literal

from edgevid.units import NS_PER_S

# Drivers buffer a few frames at most, so an older stamp is from another clock.
MAX_AGE_NS = 5 * NS_PER_S
# Some drivers stamp a frame with the end of its interval, which may be in the future: the kernel's
# vivid driver is up to 40 ms ahead.
MAX_AHEAD_NS = 100_000_000
# The offset may grow by 1/5000: four times the usual drift of cameras (50 parts in a million).
_DRIFT = 5000
# A larger step is no drift: the sender has restarted its clock.
_RESET_NS = 2 * NS_PER_S

TimeBase = Literal["sensor", "stream", "arrival"]


def sensor_ns(stamp_ns: int | None, arrived_ns: int) -> int | None:
    """Return a driver's time stamp if it is on the monotonic clock.

    Args:
        stamp_ns: The driver's stamp; None or 0 where it has none.
        arrived_ns: Arrival of the frame, on the monotonic clock.

    Returns:
        The stamp, or None where it is too old or too far ahead: the driver uses another clock.
    """
    return stamp_ns if stamp_ns and -MAX_AHEAD_NS <= arrived_ns - stamp_ns <= MAX_AGE_NS else None


class StreamClock:
    """Maps the time stamps of a network stream onto this machine's monotonic clock.

    Network delay varies; the sender's stamps do not. The smallest delay so far is taken as the
    offset of the two clocks, so a burst of frames keeps its true intervals. A frame's age then
    counts only the delay above that minimum.
    """

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._last_ns = -1

    def to_monotonic_ns(self, stamp_ns: int, arrived_ns: int) -> int:
        """Map the time of one frame.

        Args:
            stamp_ns: The stream's own time.
            arrived_ns: Arrival of the frame, on the monotonic clock.

        Returns:
            A monotonic time, at most `arrived_ns`; `arrived_ns` where the stream's time did not
            advance.
        """
        step_ns, self._last_ns = stamp_ns - self._last_ns, stamp_ns
        offset_ns = arrived_ns - stamp_ns
        if step_ns <= 0:
            return arrived_ns
        if self._offset_ns is None or offset_ns - self._offset_ns > _RESET_NS:
            self._offset_ns = offset_ns
        # The clock of a slower sender raises the offset over time, so let it grow slowly.
        self._offset_ns = min(offset_ns, self._offset_ns + step_ns // _DRIFT)
        return stamp_ns + self._offset_ns


class PlaybackClock:
    """Maps the stamps of a stream that comes in bursts, such as HLS, onto the time to play each frame.

    The first frame plays at its arrival, the others at the stream's own intervals.
    """

    def __init__(self) -> None:
        self._last_stamp_ns: int | None = None
        self._due_ns = 0

    def to_monotonic_ns(self, stamp_ns: int, arrived_ns: int) -> int:
        """Map the time of one frame.

        Args:
            stamp_ns: The stream's own time.
            arrived_ns: Arrival of the frame, on the monotonic clock.

        Returns:
            A monotonic time, up to seconds after `arrived_ns`. `arrived_ns` for the first frame, at
            a jump of the stream's time, and after a break of the network.
        """
        step_ns = 0 if self._last_stamp_ns is None else stamp_ns - self._last_stamp_ns
        self._last_stamp_ns = stamp_ns
        due_ns = self._due_ns + step_ns
        is_jump = not 0 < step_ns < _RESET_NS or arrived_ns - due_ns > _RESET_NS
        # A jump must not move time backwards while frames of a burst still wait.
        self._due_ns = max(arrived_ns, self._due_ns + 1) if is_jump else due_ns
        return self._due_ns


class FrameCounter:
    """Numbers frames by their times, for drivers without sequence numbers.

    A gap of two usual intervals counts as one lost frame.
    """

    def __init__(self) -> None:
        self._index = -1
        self._last_ns = 0
        self._usual_ns = 0

    def index(self, stamp_ns: int) -> int:
        """Return the number of the next frame.

        Args:
            stamp_ns: Time of that frame.

        Returns:
            The previous number plus one, plus the frames that seem lost.
        """
        step_ns = stamp_ns - self._last_ns if self._index >= 0 else 0
        lost = round(step_ns / self._usual_ns) - 1 if self._usual_ns else 0
        if step_ns > 0:
            # Cameras slow down in the dark, so the usual interval follows. The cap and the divisor
            # keep a single gap from moving it far.
            self._usual_ns += (min(step_ns, 2 * self._usual_ns) - self._usual_ns) // 16 if self._usual_ns else step_ns
        self._last_ns = stamp_ns
        self._index += 1 + max(0, lost)
        return self._index
