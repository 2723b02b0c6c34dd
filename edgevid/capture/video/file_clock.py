"""The times of the frames of a file, carried over stamps that jump, begin anew or are missing.

A container stamps each frame. A damaged packet may carry a wrong stamp, a file that was joined from
several begins anew, and a raw stream has no stamps. Whether a jump is a damaged stamp or a pause of
the camera shows only in the stamps that follow. So the clock holds the frames at a jump until a
later stamp continues the old times, or until it is clear that none does.
"""

from __future__ import annotations

from edgevid.units import NS_PER_S

# A longer step, which also spans this many usual intervals, may be a damaged stamp.
_JUMP_NS = NS_PER_S
_JUMP_INTERVALS = 10
_SWAP_INTERVALS = 4
# More stamps in a row that do not continue the old times are a pause or a new beginning.
MOST_HELD = 8


class FileClock:
    """Turns the stamps of a container into times that increase.

    Args:
        usual_ns: Interval of the frames, for those without a stamp of their own.

    Attributes:
        assumed: Number of settled frames whose time is not the container's.
        missing: Number of those that have no stamp at all.
    """

    def __init__(self, usual_ns: int) -> None:
        self._usual_ns = usual_ns
        self._jump_ns = max(_JUMP_NS, _JUMP_INTERVALS * usual_ns)
        self._last_ns = self._last_raw_ns = -1
        # Added to the container's stamps.
        self._offset_ns = 0
        self._held: list[int] = []
        self._is_swapped = False
        self.assumed = self.missing = 0

    def offer(self, raw_ns: int) -> list[int]:
        """Settle the next frame and those that are held, or hold it too.

        Args:
            raw_ns: The container's stamp; 0 for a frame without one.

        Returns:
            The times of the held frames and of this one, in order; empty if this one is held.
        """
        if self._last_ns < 0:
            return self._begin(raw_ns)
        if not self._held:
            at_ns = self._near(raw_ns)
            if at_ns is not None:
                return self._settle([at_ns], raw_ns)
        elif self._continues(raw_ns, len(self._held) + 1):
            return self._bridge(raw_ns)
        self._held.append(raw_ns)
        return self.flush() if len(self._held) > MOST_HELD else []

    def flush(self) -> list[int]:
        """Settle the frames that are held: at the end of the file, or of the wait at a jump."""
        if not self._held:
            return []
        held, self._held = self._held, []
        if held[0] + self._offset_ns <= self._last_ns:
            # The stamps begin anew: let them follow the old ones.
            self._offset_ns = self._last_ns + self._usual_ns - held[0]
            self.assumed += len(held)
        times: list[int] = []
        before_ns = self._last_ns
        for raw_ns in held:
            at_ns = raw_ns + self._offset_ns
            before_ns = at_ns if at_ns > before_ns else before_ns + self._usual_ns
            times.append(before_ns)
        return self._settle(times, held[-1])

    def _begin(self, raw_ns: int) -> list[int]:
        # A file may begin with frames before its time 0, which only help to decode others.
        self._offset_ns = max(0, -raw_ns)
        return self._settle([raw_ns + self._offset_ns], raw_ns)

    def _near(self, raw_ns: int) -> int | None:
        """Return the time of a frame whose stamp is missing or close to the last one; None at a jump."""
        if self._continues(raw_ns, 1):
            self._is_swapped = False
            return raw_ns + self._offset_ns
        if raw_ns in (0, self._last_raw_ns):
            self.assumed += 1
            self.missing += 1
            return self._last_ns + self._usual_ns
        late_ns = self._last_ns - (raw_ns + self._offset_ns)
        if 0 <= late_ns < _SWAP_INTERVALS * self._usual_ns and not self._is_swapped:
            # Two frames in the wrong order: the next stamp is ahead of both.
            self._is_swapped = True
            self.assumed += 1
            return self._last_ns + 1
        return None

    def _continues(self, raw_ns: int, count: int) -> bool:
        """Return whether a stamp, `count` frames after the last settled one, belongs to the old times."""
        step_ns = raw_ns + self._offset_ns - self._last_ns
        # Every frame needs a time of its own in between.
        return count <= step_ns <= self._jump_ns + count * self._usual_ns

    def _bridge(self, raw_ns: int) -> list[int]:
        """Spread the held frames evenly: their stamps were damaged."""
        count = len(self._held) + 1
        step_ns = raw_ns + self._offset_ns - self._last_ns
        self.assumed += len(self._held)
        self._held = []
        return self._settle([self._last_ns + step_ns * place // count for place in range(1, count + 1)], raw_ns)

    def _settle(self, times: list[int], raw_ns: int) -> list[int]:
        self._last_ns, self._last_raw_ns = times[-1], raw_ns
        return times
