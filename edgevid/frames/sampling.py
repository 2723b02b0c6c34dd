"""Which frames a model sees: the one rule that training, conversion and the device share.

A model is trained on frames a stated time apart. A camera gives frames at its own times. `IntervalSampler` picks, on a grid of due times
anchored at the first frame, the first frame at or after each due time; `uniform_indices` is the other custom, T frames at equal steps over
a whole clip, which exists for files only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum

from edgevid.errors import ContractError

# Containers store timestamps in units of 1 ms or coarser, so a frame that is due may be written up to 1 ms early.
_TOLERANCE_NS = 1_000_000
# An interval within that tolerance has no grid of due times; one above a day is a slip of units.
MIN_INTERVAL_S, MAX_INTERVAL_S = 0.002, 86_400.0
# A hole this many intervals wide means that the window no longer shows one stretch of time.
MAX_GAP_INTERVALS = 4


class Sample(Enum):
    """What to do with a frame."""

    SKIP = "skip"  # between two due times
    TAKE = "take"
    RESTART = "restart"  # first frame, or after a gap, or time ran backwards: forget the window, then take


class IntervalSampler:
    """Pick frames by timestamp, `interval_s` apart.

    Args:
        interval_s: Training's sampling interval in seconds, `MIN_INTERVAL_S` to `MAX_INTERVAL_S`.

    Attributes:
        interval_ns: Time between two frames now, in nanoseconds.
        gaps: How often time jumped; the first frame is no gap.
        late_ns: How long after the time it was due at the last frame was taken that was taken: the error of the time base, at most the
            time between two frames of the source. A frame within the tolerance before its time counts as 0.
    """

    def __init__(self, interval_s: float) -> None:
        if not MIN_INTERVAL_S <= interval_s <= MAX_INTERVAL_S:
            raise ContractError(
                expected=f"a sampling interval of {MIN_INTERVAL_S} to {MAX_INTERVAL_S:.0f} s", got=interval_s
            )
        self._trained_ns = self.interval_ns = round(interval_s * 1e9)
        self._due_ns: int | None = None
        self._last_ns = 0
        self.gaps = 0
        self.late_ns = 0

    def slow_down(self, times: int) -> None:
        """Take frames further apart than training did, or again as it did.

        The next frame begins a new window: one whose frames are partly one and partly another time apart shows nothing that ever happened.

        Args:
            times: Training's intervals between two frames, at least 1.
        """
        self.interval_ns = self._trained_ns * times
        self._due_ns = None

    def offer(self, timestamp_ns: int) -> Sample:
        """Say whether the frame with this timestamp belongs to the model's sequence.

        Args:
            timestamp_ns: The frame's sensor time.

        Returns:
            What to do with the frame. RESTART on the first one, on a hole wider than `MAX_GAP_INTERVALS` and on time running backwards.
        """
        if self._due_ns is None:
            return self._anchor(timestamp_ns)
        if timestamp_ns < self._last_ns or timestamp_ns - self._last_ns > MAX_GAP_INTERVALS * self.interval_ns:
            self.gaps += 1
            return self._anchor(timestamp_ns)
        if timestamp_ns < self._due_ns - _TOLERANCE_NS:
            return Sample.SKIP
        self._last_ns = timestamp_ns
        self.late_ns = max(0, timestamp_ns - self._due_ns)
        while self._due_ns <= timestamp_ns + _TOLERANCE_NS:
            self._due_ns += self.interval_ns
        return Sample.TAKE

    def wants(self, timestamp_ns: int) -> bool:
        """Say whether a frame with this timestamp would be taken, as far as is known now; nothing changes.

        Args:
            timestamp_ns: Of a frame to come. May be asked from another thread, of a frame that is ahead of those that were offered: it is then
                never False for one that `offer` will take.

        Returns:
            False only for a frame between two due times.
        """
        due_ns = self._due_ns
        return due_ns is None or timestamp_ns >= due_ns - _TOLERANCE_NS or timestamp_ns < self._last_ns

    def _anchor(self, timestamp_ns: int) -> Sample:
        self.late_ns = 0
        self._last_ns = timestamp_ns
        self._due_ns = timestamp_ns + self.interval_ns
        return Sample.RESTART


def interval_indices(timestamps_ns: Iterable[int], interval_s: float) -> list[int]:
    """Give the frames of a clip that `IntervalSampler` takes.

    Args:
        timestamps_ns: Each frame's time, in order.
        interval_s: Sampling interval in seconds.

    Returns:
        Indices into the clip, ascending, beginning with 0.
    """
    sampler = IntervalSampler(interval_s)
    return [index for index, stamp in enumerate(timestamps_ns) if sampler.offer(stamp) is not Sample.SKIP]


def uniform_indices(count: int, frames: int) -> list[int]:
    """Give `frames` indices at equal whole steps over a clip, as the widely used tutorials for LRCN models take them.

    Args:
        count: Frames in the clip, >= 1.
        frames: Frames wanted.

    Returns:
        Exactly `frames` indices; a clip shorter than that holds its last frame.

    Source: step = max(count // frames, 1), as in the sequence extraction of the LRCN tutorials on UCF50.
    """
    if count < 1:
        raise ContractError(expected="a clip with at least one frame", got=count, found="none")
    step = max(count // frames, 1)
    return hold_last([index * step for index in range(frames) if index * step < count], frames)


def window_indices(timestamps_ns: Sequence[int], *, frames: int, interval_s: float | None, start: int = 0) -> list[int]:
    """Return the frames of one window of a clip.

    Args:
        timestamps_ns: Time of each frame, in order.
        frames: Length of the window.
        interval_s: Training's sampling interval in seconds; None for equal steps over the whole clip.
        start: Index of the first frame; ignored without an interval.

    Returns:
        Exactly `frames` indices; a clip that ends early holds its last frame.
    """
    if interval_s is None:
        return uniform_indices(len(timestamps_ns), frames)
    return hold_last([start + index for index in interval_indices(timestamps_ns[start:], interval_s)], frames)


def centre_indices(timestamps_ns: Sequence[int], *, frames: int, interval_s: float | None) -> list[int]:
    """Return the frames of the window in the middle of a clip, which evaluation and conversion look at.

    Args:
        timestamps_ns: Time of each frame, in order; at least one.
        frames: Length of the window.
        interval_s: As for `window_indices`.

    Returns:
        Exactly `frames` indices.
    """
    first_ns, last_ns = timestamps_ns[0], timestamps_ns[-1]
    slack_ns = (last_ns - first_ns) - (frames - 1) * (interval_s or 0.0) * 1e9
    # The last frame at or before the middle: a later start could run out of frames.
    start = bisect_right(timestamps_ns, first_ns + max(slack_ns, 0.0) / 2) - 1
    return window_indices(timestamps_ns, frames=frames, interval_s=interval_s, start=start)


def stream_indices(timestamps_ns: Sequence[int], *, frames: int, interval_s: float) -> list[int]:
    """Return every frame that a stream of a clip samples.

    Args:
        timestamps_ns: Time of each frame, in order; at least one.
        frames: Length of the window; a clip shorter than that holds its last frame.
        interval_s: Training's sampling interval in seconds.

    Returns:
        At least `frames` indices.
    """
    taken = interval_indices(timestamps_ns, interval_s)
    return hold_last(taken, max(len(taken), frames))


def hold_last(indices: Sequence[int], frames: int) -> list[int]:
    """Cut or extend a list of indices to a length, repeating the last one.

    Args:
        indices: At least one index.
        frames: Length wanted.

    Returns:
        A new list of exactly `frames` indices.
    """
    return [*indices[:frames], *[indices[-1]] * (frames - len(indices))]
