"""The measuring loop: an engine on a source, until there are enough answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter_ns, process_time_ns

import numpy as np

from edgevid.capture.source import Source
from edgevid.errors import SourceError
from edgevid.events.decide import Decision
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.outputs.output import QuietOutput
from edgevid.pipeline import Pipeline
from edgevid.telemetry.latency import CAPACITY, NONE
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_S

NOISE = "noise"
# Rows in one process; when more come, every third one stays, and so on. Not every second: the noise repeats after
# eight frames, and nothing of that period may be singled out.
MOST_ROWS, _THINNED_BY = 1 << 15, 3
# Time for a source that does not wait beyond twice what its frames need.
_LATER_S = 5.0
_AGE = list(STAGES).index("age")
# Frames are counted before the ring of the telemetry wraps around.
_LOOK_EVERY = CAPACITY // 2


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one process shall measure.

    Attributes:
        bundle: Path of the bundle.
        threads: Interpreter threads.
        delegate: As for `--delegate`.
        source: "noise", or an address of a file or camera.
        fps: Frames a second that are due; None for frames as fast as they are taken.
        size: (width, height) of noise frames in pixels; empty for the model's.
        deadline_s: Age from which an answer is late; None if the source waits.
        min_time_s: Least time to measure.
        min_frames: Least answers to measure.
        warm_up_s: Time before, which is not counted.
        seed: Of the noise.
        affinity: Cores to run on; empty for all.
        samples: File to write the samples to, `.npz`.
    """

    bundle: str
    threads: int
    delegate: str
    source: str
    fps: float | None
    size: tuple[int, ...]
    deadline_s: float | None
    min_time_s: float
    min_frames: int
    warm_up_s: float
    seed: int
    affinity: tuple[int, ...]
    samples: str


class Samples:
    """Times of answers, thinned evenly when they become too many.

    Attributes:
        rows: (N, stages) int64 in ns.
        kept_every: `rows` has the times of every `kept_every`-th answer.
        seen: Number of answers.
        max_ns: (stages,) largest time of all answers.
    """

    def __init__(self) -> None:
        self.kept_every, self.seen = 1, 0
        self.max_ns: Array = np.zeros(len(STAGES), np.int64)
        self.rows: Array = np.zeros((0, len(STAGES)), np.int64)

    def add(self, rows: Array) -> None:
        """Add rows of frames in their order; those without an answer are left out."""
        rows = rows[rows[:, _AGE] != NONE]
        if not len(rows):
            return
        self.max_ns = np.maximum(self.max_ns, rows.max(axis=0))
        kept = rows[(-self.seen) % self.kept_every :: self.kept_every]
        self.seen += len(rows)
        self.rows = np.concatenate([self.rows, kept])
        while len(self.rows) > MOST_ROWS:
            self.rows = self.rows[::_THINNED_BY]
            self.kept_every *= _THINNED_BY


class Punctuality(QuietOutput):
    """Counts the frames of a source that does not wait: due, and answered too late or never.

    Args:
        deadline_s: Time between two due frames, and from a frame's due time to its answer.

    Attributes:
        due: Frames since the first answer.
        misses: Of these, answered late or never.
        longest_run: Most misses in a row.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self.due = self.misses = self.longest_run = self._run = 0
        self._newest_s: float | None = None

    def decided(self, decision: Decision) -> None:
        """Count an answer, and the due times since the one before that have none."""
        if self._newest_s is not None:
            self._missed(round((decision.t_s - self._newest_s) / self._deadline_s) - 1)
        self._newest_s = decision.t_s
        if decision.age_ms > self._deadline_s * 1e3:
            self._missed(1)
        else:
            self.due += 1
            self._run = 0

    def restart(self) -> None:
        """Begin another turn of a recording: no frame is due between two turns."""
        self._newest_s = None

    def expect(self, frames: int) -> None:
        """Count what is missing from a number of due frames, as after the last answer."""
        self._missed(frames - self.due)

    def _missed(self, frames: int) -> None:
        if frames > 0:
            self.due += frames
            self.misses += frames
            self._run += frames
            self.longest_run = max(self.longest_run, self._run)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What `measure` found.

    Attributes:
        samples: Times of the answers.
        punctuality: Of a source that does not wait; None for others.
        dropped: Frames dropped by cause.
        took_s: Time.
        cpu_s: Processor time of all threads.
    """

    samples: Samples
    punctuality: Punctuality | None
    dropped: dict[str, int]
    took_s: float
    cpu_s: float


def measure(engine: Engine, open_source: Callable[[], Source], task: Task) -> Measured:
    """Measure an engine on a source until both minima are met; a recording is played again as often as needed.

    A source that does not wait is given twice the time that its frames need: a device that cannot
    keep up shall be told so.

    Args:
        engine: Restarted by the pipeline.
        open_source: Opens the source; called for the warm-up and for each turn of measuring.
        task: The minima and the deadline.

    Raises:
        SourceError: A source that waits ends without an answer.
    """
    with open_source() as source:
        _collect(Pipeline(engine, source), Samples(), _Limits(_after(task.warm_up_s), 0, _after(task.warm_up_s)))
    samples, dropped = Samples(), dict[str, int]()
    punctuality = None if task.deadline_s is None else Punctuality(task.deadline_s)
    began_ns, cpu_ns, limits = perf_counter_ns(), process_time_ns(), _limits(task)
    while not limits.are_reached(samples):
        turn_began = samples.seen
        if punctuality is not None:
            punctuality.restart()
        with open_source() as source:
            pipeline = Pipeline(engine, source, [] if punctuality is None else [punctuality])
            _collect(pipeline, samples, limits)
        for cause, count in pipeline.telemetry.drops.items():
            dropped[cause] = dropped.get(cause, 0) + count
        # The last turn may be cut off before its first answer; one that was not can never have one.
        if samples.seen == turn_began == 0 and not limits.are_reached(samples):
            raise SourceError(expected=f"answers from {source.name}", found="none", hint="Use a longer recording.")
    took_s, cpu_s = (perf_counter_ns() - began_ns) / NS_PER_S, (process_time_ns() - cpu_ns) / NS_PER_S
    if punctuality is not None and task.fps is not None:
        # The first window is filled before anything is due, and the last frame may be on its way.
        punctuality.expect(int(took_s * task.fps) - engine.bundle.manifest.window.frames - 1)
    return Measured(samples=samples, punctuality=punctuality, dropped=dropped, took_s=took_s, cpu_s=cpu_s)


@dataclass(frozen=True)
class _Limits:
    """When a measurement ends: at the least time with the least answers, or at the latest time."""

    until_ns: int
    min_answers: int
    latest_ns: int

    def are_reached(self, samples: Samples) -> bool:
        now_ns = perf_counter_ns()
        return now_ns >= self.latest_ns or (now_ns >= self.until_ns and samples.seen >= self.min_answers)


def _limits(task: Task) -> _Limits:
    if task.deadline_s is None:
        return _Limits(_after(task.min_time_s), task.min_frames, sys.maxsize)
    needed_s = max(task.min_time_s, task.min_frames * task.deadline_s)
    return _Limits(_after(task.min_time_s), task.min_frames, _after(2 * needed_s + _LATER_S))


def _after(seconds: float) -> int:
    return perf_counter_ns() + round(seconds * NS_PER_S)


def _collect(pipeline: Pipeline, samples: Samples, limits: _Limits) -> None:
    """Run a pipeline and collect its rows until the limits are reached or its source ends."""
    telemetry, taken = pipeline.telemetry, 0
    with closing(pipeline.steps()) as steps:
        for _ in steps:
            is_over = perf_counter_ns() >= limits.until_ns
            if telemetry.taken - taken < _LOOK_EVERY and not is_over:
                continue
            samples.add(telemetry.newest_rows(telemetry.taken - taken))
            taken = telemetry.taken
            if is_over and limits.are_reached(samples):
                return
    samples.add(telemetry.newest_rows(telemetry.taken - taken))
