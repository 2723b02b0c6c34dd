"""The scores of a long run in little memory: the highest score in each short stretch of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevid.frames import Array

_FIRST_STEP_S = 0.05
_ROOM_BYTES = 8 * 2**20
_MOST_BUCKETS, _LEAST_BUCKETS = 2**16, 2**10
# A score as a byte: a row of a strip is lower than that many pixels.
_FULL = 255


class ScoreSketch:
    """The scores of a model over time, at a resolution that falls as the run grows.

    Args:
        labels: Classes of the model, in the order of the scores.

    Attributes:
        labels: See above.
        step_s: Time in which only the highest score is kept; it doubles when the room is full.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.step_s = _FIRST_STEP_S
        wanted = _ROOM_BYTES // max(1, len(self.labels))
        # Even, because two buckets become one.
        self._capacity = max(_LEAST_BUCKETS, min(_MOST_BUCKETS, wanted)) // 2 * 2
        # Pages of memory that nothing is written to cost nothing.
        self._levels = np.zeros((self._capacity, len(self.labels)), np.uint8)
        self._is_seen = np.zeros(self._capacity, bool)

    def add(self, t_s: float, scores: Sequence[float]) -> None:
        """Add the scores of one decision.

        Args:
            t_s: Time in seconds; a negative one is ignored.
            scores: One probability per class.
        """
        if t_s < 0:
            return
        while (index := int(t_s / self.step_s)) >= self._capacity:
            self._double_step()
        row = self._levels[index]
        np.maximum(row, np.rint(np.clip(scores, 0.0, 1.0) * _FULL).astype(np.uint8), out=row)
        self._is_seen[index] = True

    def _double_step(self) -> None:
        half = self._capacity // 2
        for kept in (self._levels, self._is_seen):
            kept[:half] = np.maximum(kept[0::2], kept[1::2])
            kept[half:] = 0
        self.step_s *= 2

    def highest(self) -> Array:
        """Return the highest score of each class so far, (classes,) float64."""
        return self._levels.max(axis=0) / _FULL

    def between(self, from_s: float, until_s: float, *, step_s: float) -> tuple[Array, Array]:
        """Return the scores of a stretch of time.

        Args:
            from_s: Its start in seconds.
            until_s: Its end in seconds.
            step_s: Time in which only the highest score is returned.

        Returns:
            Times (N,) float64 in seconds, ascending, and scores (N, classes) float64, 0 to 1. There
            is no entry for a step without a decision.
        """
        first = max(0, int(from_s / self.step_s))
        last = min(self._capacity, int(np.ceil(until_s / self.step_s)) + 1)
        places = first + np.flatnonzero(self._is_seen[first:last])
        if not len(places):
            return np.empty(0), np.empty((0, len(self.labels)))
        times_s = (places + 0.5) * self.step_s
        columns = np.floor(times_s / max(step_s, self.step_s))
        starts = np.flatnonzero(np.diff(columns, prepend=-1))
        return times_s[starts], np.maximum.reduceat(self._levels[places], starts, axis=0) / _FULL
