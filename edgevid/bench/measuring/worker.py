"""One process of a benchmark: load a bundle, test it, warm up, measure.

`python -m edgevid.bench.measuring.worker` reads a task as JSON from standard input, writes the samples into a
file, and prints its report as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter_ns, process_time_ns

import numpy as np

from edgevid.bundle import Bundle
from edgevid.capture.source import Source
from edgevid.errors import EdgevidError, SourceError
from edgevid.frames import Array
from edgevid.inference.engine import Engine
from edgevid.pipeline import Pipeline
from edgevid.telemetry.latency import CAPACITY, NONE
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_S

NOISE = "noise"
# Rows in one process; when more come, every second one is dropped and so on.
MOST_ROWS = 1 << 15
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
    samples: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one process measured; times are of the measuring alone.

    Attributes:
        interpreter: What ran the parts at the end.
        threads: Interpreter threads.
        fallback: Why the CPU ran it in place of an accelerator; empty if it did not.
        answers: Golden answers of the self-test.
        identical: Whether they were equal bit for bit.
        n: Answers measured.
        took_s: Time.
        cpu_s: Processor time of all threads.
        kept_every: Every which answer's times are kept.
        due: Frames that were due at a source that does not wait.
        misses: Of these, answered late or dropped.
        longest_run: Most late answers in a row.
        dropped: Frames dropped by cause.
        max_ns: Largest time by stage, of all answers.
        switches_forced: Involuntary context switches.
        faults: Major page faults.
        rss_mib: Resident memory at the end.
        peak_mib: Largest resident memory.
        pss_mib: Proportional memory.
    """

    interpreter: str
    threads: int
    fallback: str
    answers: int
    identical: bool
    n: int
    took_s: float
    cpu_s: float
    kept_every: int
    due: int
    misses: int
    longest_run: int
    dropped: dict[str, int]
    max_ns: dict[str, int]
    switches_forced: int
    faults: int
    rss_mib: float | None
    peak_mib: float | None
    pss_mib: float | None


class Samples:
    """Rows of times, thinned evenly where they become too many.

    Args:
        deadline_ns: Age from which an answer is late; None if there is no deadline.
    """

    def __init__(self, deadline_ns: float | None = None) -> None:
        self.kept_every, self.seen, self.late = 1, 0, 0
        self.max_ns: Array = np.zeros(len(STAGES), np.int64)
        self.longest_run = 0
        self._deadline_ns = deadline_ns
        self._run = 0
        self._rows: Array = np.zeros((0, len(STAGES)), np.int64)

    @property
    def rows(self) -> Array:
        """(N, stages) int64 in ns."""
        return self._rows

    def add(self, rows: Array) -> None:
        """Add rows of frames in their order; those without an answer are left out."""
        rows = rows[rows[:, _AGE] != NONE]
        if not len(rows):
            return
        self.max_ns = np.maximum(self.max_ns, rows.max(axis=0))
        if self._deadline_ns is not None:
            self._count_late(rows[:, _AGE] > self._deadline_ns)
        kept = rows[(-self.seen) % self.kept_every :: self.kept_every]
        self.seen += len(rows)
        self._rows = np.concatenate([self._rows, kept])
        while len(self._rows) > MOST_ROWS:
            self._rows = self._rows[::2]
            self.kept_every *= 2

    def _count_late(self, late: Array) -> None:
        self.late += int(late.sum())
        for is_late, group in groupby(late.tolist()):
            self._run = self._run + sum(1 for _ in group) if is_late else 0
            self.longest_run = max(self.longest_run, self._run)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What `measure` found: the samples, frames dropped by cause, time and processor time in seconds."""

    samples: Samples
    dropped: dict[str, int]
    took_s: float
    cpu_s: float


def measure(engine: Engine, open_source: Callable[[], Source], task: Task) -> Measured:
    """Measure an engine on a source until both minima are met; a recording is played again as often as needed.

    Args:
        engine: Restarted by the pipeline.
        open_source: Opens the source; called for the warm-up and for each turn of measuring.
        task: The minima and the deadline.

    Raises:
        SourceError: The source ends without an answer.
    """
    with open_source() as source:
        _collect(Pipeline(engine, source), Samples(), until_ns=_after(task.warm_up_s), min_answers=0)
    samples = Samples(None if task.deadline_s is None else task.deadline_s * NS_PER_S)
    dropped: dict[str, int] = {}
    began_ns, cpu_ns, until_ns = perf_counter_ns(), process_time_ns(), _after(task.min_time_s)
    while samples.seen < task.min_frames or perf_counter_ns() < until_ns:
        before = samples.seen
        with open_source() as source:
            pipeline = Pipeline(engine, source)
            _collect(pipeline, samples, until_ns=until_ns, min_answers=task.min_frames)
        for cause, count in pipeline.telemetry.drops.items():
            dropped[cause] = dropped.get(cause, 0) + count
        if samples.seen == before:
            raise SourceError(expected=f"answers from {task.source}", found="none", hint="Is the recording too short?")
    took_s, cpu_s = (perf_counter_ns() - began_ns) / NS_PER_S, (process_time_ns() - cpu_ns) / NS_PER_S
    return Measured(samples=samples, dropped=dropped, took_s=took_s, cpu_s=cpu_s)


def _after(seconds: float) -> int:
    return perf_counter_ns() + round(seconds * NS_PER_S)


def _collect(pipeline: Pipeline, samples: Samples, *, until_ns: int, min_answers: int) -> None:
    """Run a pipeline and collect its rows until both minima are met or its source ends."""
    telemetry, taken = pipeline.telemetry, 0
    with closing(pipeline.steps()) as steps:
        for _ in steps:
            is_over = perf_counter_ns() >= until_ns
            if telemetry.taken - taken < _LOOK_EVERY and not is_over:
                continue
            samples.add(telemetry.newest_rows(telemetry.taken - taken))
            taken = telemetry.taken
            if is_over and samples.seen >= min_answers:
                return
    samples.add(telemetry.newest_rows(telemetry.taken - taken))


def source_of(bundle: Bundle, task: Task) -> Callable[[], Source]:
    """Return a function that opens the task's source."""

    def opened() -> Source:
        from edgevid.capture.noise import NoiseSource
        from edgevid.capture.open import open_source
        from edgevid.capture.paced import PacedSource

        if task.source != NOISE:
            return open_source(task.source, bundle.manifest, policy="live")
        size = (task.size[0], task.size[1]) if task.size else None
        noise = NoiseSource(bundle.manifest, count=sys.maxsize, size=size, seed=task.seed)
        return noise if task.fps is None else PacedSource(noise)

    return opened


def at_rate(bundle: Bundle, fps: float | None) -> Bundle:
    """Return a bundle whose model takes frames at another rate; the parts stay as they are."""
    if fps is None:
        return bundle
    window = dataclasses.replace(bundle.manifest.window, interval_s=1 / fps)
    manifest = dataclasses.replace(bundle.manifest, window=window)
    return Bundle(manifest=manifest, models=bundle.models, golden=bundle.golden, report=bundle.report, path=bundle.path)


def work(task: Task) -> tuple[Report, Array]:
    """Do a task in this process.

    Returns:
        The report, and the times of kept answers: (N, stages) int64 in ns.

    Raises:
        EdgevidError: The bundle cannot be loaded, fails its self-test, or the source fails.
    """
    from edgevid import bundle as bundles
    from edgevid.api.engines import open_engine
    from edgevid.inference.selftest import selftest

    bundle = at_rate(bundles.read(Path(task.bundle)), task.fps)
    fallbacks: list[str] = []
    engine = open_engine(bundle, threads=task.threads, delegate=task.delegate, on_fallback=fallbacks.append)
    tested = selftest(engine)
    before = getrusage(RUSAGE_SELF)
    measured = measure(engine, source_of(bundle, task), task)
    after = getrusage(RUSAGE_SELF)
    samples = measured.samples
    late = measured.dropped.get("late", 0) if task.deadline_s is not None else 0
    report = Report(
        interpreter=engine.interpreter,
        threads=engine.threads,
        fallback=fallbacks[-1] if fallbacks else "",
        answers=tested.answers,
        identical=tested.identical,
        n=samples.seen,
        took_s=measured.took_s,
        cpu_s=measured.cpu_s,
        kept_every=samples.kept_every,
        due=samples.seen + late,
        misses=samples.late + late,
        longest_run=samples.longest_run,
        dropped=measured.dropped,
        max_ns=dict(zip(STAGES, samples.max_ns.tolist(), strict=True)),
        switches_forced=after.ru_nivcsw - before.ru_nivcsw,
        faults=after.ru_majflt - before.ru_majflt,
        **_memory(),
    )
    return report, samples.rows


def _memory(proc: Path = Path("/proc/self")) -> dict[str, float | None]:
    """Return the memory figures; sources: proc_pid_status(5), and proc_pid_smaps(5) for the rollup."""
    from edgevid.telemetry.environment import read_field

    texts = {
        "rss_mib": read_field(proc / "status", "VmRSS", ":"),
        "peak_mib": read_field(proc / "status", "VmHWM", ":"),
        "pss_mib": read_field(proc / "smaps_rollup", "Pss", ":"),
    }
    return {name: int(text.split()[0]) / 1024 if text else None for name, text in texts.items()}


def main() -> int:
    """Do the task of standard input; print the report, or the error as JSON with exit code 1."""
    data = json.load(sys.stdin)
    task = Task(**{**data, "size": tuple(data["size"])})
    try:
        report, rows = work(task)
    except EdgevidError as error:
        sys.stdout.write(json.dumps({"error": str(error), "exit_code": error.exit_code}))
        return 1
    np.savez_compressed(task.samples, rows=rows)
    sys.stdout.write(json.dumps(dataclasses.asdict(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
