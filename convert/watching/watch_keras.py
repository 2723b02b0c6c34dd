"""The scores of a trained Keras model over a recording, on the frames that the device would take."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from convert.event_metrics.trace import ScoreTrace, Segment
from convert.watching.timed import check_length, open_recording
from convert.watching.watch_bundle import Watch
from edgevid.bundle.framing import PLAIN, Framing
from edgevid.bundle.manifest import Window
from edgevid.frames import Array
from edgevid.frames.preprocess import InputSpec, Preprocessor
from edgevid.frames.sampling import IntervalSampler, Sample
from edgevid.units import NS_PER_S

# Prepared frames that are scored at once: bounds the memory of a long recording.
_CHUNK_BYTES = 64 * 2**20


def keras_watch(
    score: Callable[[Array], Array],
    spec: InputSpec,
    window: Window,
    *,
    classes: int,
    slowdown: int = 1,
    dtype: DTypeLike = np.float64,
) -> Watch:
    """Return a watch that runs a trained model on every window of a recording.

    Args:
        score: From frames (N, *frame), N at least a window, to the scores (N - T + 1, classes).
        spec: Input frames of the model.
        window: The model's window.
        classes: Number of classes.
        slowdown: Training intervals between two frames, as at a slower pace.
        dtype: Type of the scores.
    """

    def watch(path: Path, framing: Framing = PLAIN) -> ScoreTrace:
        scoring = _Scoring(score, spec, window, classes, dtype)
        sampler = IntervalSampler(window.interval_s)
        sampler.slow_down(slowdown)
        preprocessor = Preprocessor(spec)
        taken = 0
        with open_recording(path, spec.kind, window, framing) as source:
            source.deliver_only(sampler.wants)
            for frame in source.frames():
                sample = sampler.offer(frame.timestamp_ns)
                if sample is Sample.RESTART:
                    scoring.restart(frame.timestamp_ns / NS_PER_S)
                if sample is not Sample.SKIP:
                    preprocessor.write(frame, scoring.room(frame.timestamp_ns / NS_PER_S))
                    taken += 1
        trace = scoring.trace(source.duration_s)
        if slowdown == 1:
            check_length(path, window, taken=taken, answers=len(trace.times_s), duration_s=trace.duration_s)
        return trace

    return watch


class _Scoring:
    """Collects frames, and scores them chunk by chunk."""

    def __init__(
        self, score: Callable[[Array], Array], spec: InputSpec, window: Window, classes: int, dtype: DTypeLike
    ) -> None:
        self._score, self._window, self._dtype = score, window.frames, dtype
        room = max(_CHUNK_BYTES // (math.prod(spec.shape) * np.dtype(spec.dtype).itemsize), 2 * window.frames)
        self._frames = np.empty((room, *spec.shape), spec.dtype)
        self._stamps_s = np.empty(room)
        self._count = 0
        self._began_s = 0.0
        self._answered = 0
        self._classes = classes
        self._times_s = [np.zeros(0)]
        self._scores: list[Array] = []
        self._segments: list[Segment] = []

    def restart(self, t_s: float) -> None:
        """Begin a new window with the frame at a time."""
        self._flush()
        self._count, self._began_s = 0, t_s

    def room(self, t_s: float) -> Array:
        """Return the place of the next frame."""
        if self._count == len(self._frames):
            self._flush()
            # The windows that begin in this chunk and end in the next one.
            kept = self._window - 1
            self._frames[:kept] = self._frames[self._count - kept : self._count]
            self._count = kept
        self._stamps_s[self._count] = t_s
        self._count += 1
        return self._frames[self._count - 1]

    def trace(self, duration_s: float) -> ScoreTrace:
        """Score what is left, and return everything."""
        self._flush()
        return ScoreTrace(
            times_s=np.concatenate(self._times_s),
            scores=np.concatenate(self._scores) if self._scores else np.zeros((0, self._classes), self._dtype),
            segments=tuple(self._segments),
            duration_s=duration_s,
        )

    def _flush(self) -> None:
        if self._count < self._window:
            return
        if not self._segments or self._segments[-1].began_s != self._began_s:
            self._segments.append(Segment(self._answered, self._began_s))
        scores = self._score(self._frames[: self._count])
        self._scores.append(scores.astype(self._dtype))
        self._times_s.append(self._stamps_s[self._window - 1 : self._count].copy())
        self._answered += len(scores)
