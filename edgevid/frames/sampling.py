"""Frame sampling. Training, conversion and the device share these rules.

A model is trained on frames a fixed time apart, but cameras have their own frame rates.
`IntervalSampler` lays a grid of due times from the first frame on, and takes the first frame at or
after each due time. `uniform_indices` takes T frames at equal steps over a whole clip; it works on
files only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum

from edgevid.errors import ContractError
from edgevid.units import NS_PER_MS, NS_PER_S

# Containers store timestamps in units of 1 ms or coarser, so the stamp of a due frame may be up to
# 1 ms early.
_TOLERANCE_NS = 1 * NS_PER_MS
# Due times must be further apart than the tolerance. More than a day is a mistaken unit.
MIN_INTERVAL_S, MAX_INTERVAL_S = 0.002, 86_400.0
# Across a wider gap, the window would no longer show one stretch of time.
MAX_GAP_INTERVALS = 4


class Sample(Enum):
    """The sampler's decision on a frame."""

    SKIP = "skip"  # between two due times
    TAKE = "take"
    RESTART = "restart"  # take as the first frame of a new window: at the start, after a gap or a clock set back


class IntervalSampler:
    """Takes frames by timestamp, `interval_s` apart.

    Args:
        interval_s: Training's sampling interval in seconds, `MIN_INTERVAL_S` to `MAX_INTERVAL_S`.

    Raises:
        ContractError: If the interval is out of range.

    Attributes:
        interval_ns: Current time between two taken frames.
        missed: Number of due times that passed without a frame of their own.
        gaps: Number of jumps in time; the first frame and `slow_down` do not count.
        late_ns: Delay of the last taken frame after its due time: the error of the time base. At
            most one frame interval of the source; 0 for a frame up to 1 ms early.
    """

    def __init__(self, interval_s: float) -> None:
        if not MIN_INTERVAL_S <= interval_s <= MAX_INTERVAL_S:
            raise ContractError(
                expected=f"a sampling interval of {MIN_INTERVAL_S} to {MAX_INTERVAL_S:.0f} s", got=interval_s
            )
        self._trained_ns = self.interval_ns = round(interval_s * NS_PER_S)
        self._due_ns: int | None = None
        self._last_ns = 0
        self.missed = self.gaps = 0
        self.late_ns = 0

    def slow_down(self, times: int) -> None:
        """Pick frames at a multiple of the training interval. The next frame begins a new window.

        Args:
            times: Training intervals between two taken frames, at least 1.
        """
        # Within one window all frames must be equally far apart, hence the restart.
        self.interval_ns = self._trained_ns * times
        self._due_ns = None

    def offer(self, timestamp_ns: int) -> Sample:
        """Decide on the next frame.

        Args:
            timestamp_ns: The frame's sensor time.

        Returns:
            SKIP or TAKE; RESTART for the first frame, after a gap of more than `MAX_GAP_INTERVALS`
            intervals, and if time runs backwards.
        """
        if self._due_ns is None:
            return self._anchor(timestamp_ns)
        if timestamp_ns < self._last_ns or timestamp_ns - self._last_ns > MAX_GAP_INTERVALS * self.interval_ns:
            self.gaps += 1
            self.missed += max(0, (timestamp_ns - self._last_ns) // self.interval_ns - 1)
            return self._anchor(timestamp_ns)
        if timestamp_ns < self._due_ns - _TOLERANCE_NS:
            return Sample.SKIP
        self._last_ns = timestamp_ns
        self.late_ns = max(0, timestamp_ns - self._due_ns)
        # Due times that passed without a frame are dropped; the grid stays where it was.
        self.missed -= 1
        while self._due_ns <= timestamp_ns + _TOLERANCE_NS:
            self._due_ns += self.interval_ns
            self.missed += 1
        return Sample.TAKE

    def wants(self, timestamp_ns: int) -> bool:
        """Predict whether `offer` would take a frame. Other threads may call it, for frames not offered yet.

        Args:
            timestamp_ns: Sensor time of a coming frame.

        Returns:
            False only if `offer` will skip the frame; True does not promise that it will take it.
        """
        # Read once: the loop's thread may set it to None in between.
        due_ns = self._due_ns
        return due_ns is None or timestamp_ns >= due_ns - _TOLERANCE_NS or timestamp_ns < self._last_ns

    def _anchor(self, timestamp_ns: int) -> Sample:
        self.late_ns = 0
        self._last_ns = timestamp_ns
        self._due_ns = timestamp_ns + self.interval_ns
        return Sample.RESTART


def interval_indices(timestamps_ns: Iterable[int], interval_s: float) -> list[int]:
    """Return the indices of the frames of a clip that `IntervalSampler` takes.

    Args:
        timestamps_ns: Time of each frame, in order.
        interval_s: Training's sampling interval in seconds.

    Returns:
        Ascending indices into the clip, from 0 on.
    """
    sampler = IntervalSampler(interval_s)
    return [index for index, stamp in enumerate(timestamps_ns) if sampler.offer(stamp) is not Sample.SKIP]


def uniform_indices(count: int, frames: int) -> list[int]:
    """Return indices at equal whole steps over a clip, as in the common tutorials for LRCN models.

    Args:
        count: Frames in the clip, at least 1.
        frames: Frames wanted.

    Returns:
        Exactly `frames` indices; a shorter clip repeats its last frame.

    Raises:
        ContractError: If the clip has no frame.

    Source: step = max(count // frames, 1), as in the sequence extraction of the LRCN tutorials on UCF50.
    """
    if count < 1:
        raise ContractError(expected="a clip with at least one frame", got=count, found="none")
    step = max(count // frames, 1)
    return hold_last([index * step for index in range(frames) if index * step < count], frames)


def window_indices(timestamps_ns: Sequence[int], *, frames: int, interval_s: float | None, start: int = 0) -> list[int]:
    """Return the indices of the frames of one window of a clip.

    Args:
        timestamps_ns: Time of each frame, in order.
        frames: Frames in the window.
        interval_s: Training's sampling interval in seconds; None for equal steps over the whole clip.
        start: Index of the first frame; ignored without an interval.

    Returns:
        Exactly `frames` indices; a clip that ends early repeats its last frame.
    """
    if interval_s is None:
        return uniform_indices(len(timestamps_ns), frames)
    return hold_last([start + index for index in interval_indices(timestamps_ns[start:], interval_s)], frames)


def centre_indices(timestamps_ns: Sequence[int], *, frames: int, interval_s: float | None) -> list[int]:
    """Return the indices of the middle window of a clip, which evaluation and conversion use.

    Args:
        timestamps_ns: Time of each frame, in order; at least one.
        frames: Frames in the window.
        interval_s: As for `window_indices`.

    Returns:
        Exactly `frames` indices.
    """
    first_ns, last_ns = timestamps_ns[0], timestamps_ns[-1]
    slack_ns = (last_ns - first_ns) - (frames - 1) * (interval_s or 0.0) * NS_PER_S
    # The last frame at or before the middle; a window that starts later could run out of frames.
    start = bisect_right(timestamps_ns, first_ns + max(slack_ns, 0.0) / 2) - 1
    return window_indices(timestamps_ns, frames=frames, interval_s=interval_s, start=start)


def stream_indices(timestamps_ns: Sequence[int], *, frames: int, interval_s: float) -> list[int]:
    """Return the indices of all frames that the sampler takes when a clip is streamed.

    Args:
        timestamps_ns: Time of each frame, in order; at least one.
        frames: Frames in a window; a shorter clip repeats its last frame.
        interval_s: Training's sampling interval in seconds.

    Returns:
        At least `frames` indices.
    """
    indices = interval_indices(timestamps_ns, interval_s)
    return hold_last(indices, max(len(indices), frames))


def describe_short(name: str, count: int, frames: int) -> str:
    """Describe a clip that is shorter than a window, in the words of every command.

    Args:
        name: The clip.
        count: Frames that the sampler takes of it.
        frames: Frames in the window.
    """
    return f"{name} has {count} of the {frames} frames of a window: its last one is repeated."


def hold_last(indices: Sequence[int], frames: int) -> list[int]:
    """Cut a list of indices to a length, or extend it by repeating the last one.

    Args:
        indices: At least one index.
        frames: Length of the result.
    """
    return [*indices[:frames], *[indices[-1]] * (frames - len(indices))]
