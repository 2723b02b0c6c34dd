"""Detection of a source that delivers too few frames for a model."""

from __future__ import annotations

from edgevid.units import NS_PER_S

_PERIOD_NS = NS_PER_S
# Jitter makes a few due times pass without a frame at any rate.
_TOLERATED_SHARE = 0.1


class RateWatch:
    """Compares the due times that passed without a frame with the frames that were taken.

    Attributes:
        is_slow: Whether the source was too slow in the last period of a second.
    """

    def __init__(self) -> None:
        self.is_slow = False
        self._began_ns: int | None = None
        self._taken = self._missed = 0

    def has_changed(self, timestamp_ns: int, *, taken: int, missed: int) -> bool:
        """Judge the rate at the end of each period; return whether `is_slow` changed.

        Args:
            timestamp_ns: Sensor time of a frame.
            taken: Frames that the sampler took so far.
            missed: Due times that passed without a frame so far.
        """
        elapsed_ns = -1 if self._began_ns is None else timestamp_ns - self._began_ns
        if 0 <= elapsed_ns < _PERIOD_NS:
            return False
        was_slow = self.is_slow
        taken_now, missed_now = taken - self._taken, missed - self._missed
        if elapsed_ns > 0:
            self.is_slow = missed_now > _TOLERATED_SHARE * (taken_now + missed_now)
        self._began_ns, self._taken, self._missed = timestamp_ns, taken, missed
        return self.is_slow != was_slow
