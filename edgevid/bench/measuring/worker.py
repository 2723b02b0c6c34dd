"""One process of a benchmark: load a bundle, test it, warm up, measure.

`python -m edgevid.bench.measuring.worker` reads a task as JSON from standard input, writes the samples into a
file, and prints its report as JSON.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np

from edgevid.bench.fresh_process import answer
from edgevid.bench.measuring.loop import NOISE, Punctuality, Task, measure
from edgevid.bundle import Bundle
from edgevid.capture.source import Source
from edgevid.errors import UsageError
from edgevid.frames import Array
from edgevid.telemetry.telemetry import STAGES


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
        kept_every: The times of every `kept_every`-th answer are stored.
        due: Frames that were due at a source that does not wait.
        misses: Of these, answered late or dropped.
        longest_run: Most of these in a row.
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
        The report, and the stored times of answers: (N, stages) int64 in ns.

    Raises:
        EdgevidError: The bundle cannot be loaded, fails its self-test, or the source fails.
    """
    from edgevid import bundle as bundles
    from edgevid.api.engines import open_engine
    from edgevid.inference.selftest import selftest

    _stay_on(task.affinity)
    bundle = at_rate(bundles.read(Path(task.bundle)), task.fps)
    fallbacks: list[str] = []
    engine = open_engine(bundle, threads=task.threads, delegate=task.delegate, on_fallback=fallbacks.append)
    tested = selftest(engine)
    before = getrusage(RUSAGE_SELF)
    measured = measure(engine, source_of(bundle, task), task)
    after = getrusage(RUSAGE_SELF)
    samples, punctual = measured.samples, measured.punctuality or Punctuality(1.0)
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
        due=punctual.due,
        misses=punctual.misses,
        longest_run=punctual.longest_run,
        dropped=measured.dropped,
        max_ns=dict(zip(STAGES, samples.max_ns.tolist(), strict=True)),
        switches_forced=after.ru_nivcsw - before.ru_nivcsw,
        faults=after.ru_majflt - before.ru_majflt,
        **_memory(),
    )
    return report, samples.rows


def _stay_on(cores: Sequence[int]) -> None:
    """Keep this process, and the threads that it will start, on some cores."""
    if not cores:
        return
    try:
        os.sched_setaffinity(0, cores)
    except OSError as error:
        there = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise UsageError(expected=f"cores of {there}", got=list(cores), hint="See --affinity.") from error


def _memory(proc: Path = Path("/proc/self")) -> dict[str, float | None]:
    """Return the memory figures; sources: proc_pid_status(5), and proc_pid_smaps(5) for the rollup."""
    from edgevid.telemetry.environment import read_field

    texts = {
        "rss_mib": read_field(proc / "status", "VmRSS", ":"),
        "peak_mib": read_field(proc / "status", "VmHWM", ":"),
        "pss_mib": read_field(proc / "smaps_rollup", "Pss", ":"),
    }
    return {name: int(text.split()[0]) / 1024 if text else None for name, text in texts.items()}


def _end_with_parent() -> None:
    """End this process with its parent, so that it cannot disturb the next measurement.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _measured(data: dict[str, Any]) -> Report:
    _end_with_parent()
    task = Task(**{**data, "size": tuple(data["size"]), "affinity": tuple(data["affinity"])})
    report, rows = work(task)
    np.savez_compressed(task.samples, rows=rows)
    return report


if __name__ == "__main__":
    sys.exit(answer(_measured))
