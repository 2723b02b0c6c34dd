"""Run one peer on a stream of frames, and print what it cost as one line of JSON.

    python run.py JOB.json SPAWNED_NS

The job names the peer, its files, the stream and the limits. `SPAWNED_NS` is the monotonic time at which the caller
started this process, so that the start includes Python and every import.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before any library starts its threads.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
os.environ.update(TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="-1")

_KIB = 1024


def main() -> int:
    """Run the job of the command line."""
    job = json.loads(Path(sys.argv[1]).read_text())
    # One core, whatever a library thinks of the number of threads that it was given.
    os.sched_setaffinity(0, {job["core"]})
    print(json.dumps(measure(job, spawned_ns=int(sys.argv[2]))))
    return 0


def measure(job: dict[str, Any], *, spawned_ns: int) -> dict[str, Any]:
    """Load the peer, let it answer the stream once, and time it on the stream from then on.

    Args:
        job: See `benchmarks/peers/rounds.py`.
        spawned_ns: When the process was started, on the monotonic clock.

    Returns:
        Samples of the wall-clock time in microseconds, median of the processor's, start, memory and the scores. A peer
        that never answers, the floor, has no start and no scores.
    """
    import numpy as np

    push = importlib.import_module(job["worker"]).peer(job)
    stream = np.load(job["stream"])
    answers: list[list[float]] = []
    start_ms = None
    for frame in stream:
        scores = push(frame)
        if scores is None:
            continue
        start_ms = start_ms or (time.monotonic_ns() - spawned_ns) / 1e6
        answers.append([float(score) for score in np.asarray(scores).ravel()])
    wall_us, cpu_us = timed(push, list(stream), seconds=job["seconds"], most=job["most"])
    return {
        "wall_us": [round(value, 2) for value in wall_us],
        "cpu_us": cpu_us,
        "start_ms": start_ms,
        "peak_mib": peak_mib(),
        "answers": answers,
    }


def timed(push: Callable[[Any], Any], stream: list[Any], *, seconds: float, most: int) -> tuple[list[float], float]:
    """Push frames in turn, each as soon as the one before it is answered.

    Args:
        push: The peer.
        stream: The frames; the first follows the last.
        seconds: Stop after this time.
        most: Stop after this number of decisions.

    Returns:
        Wall-clock time of each decision and the median of the processor's, in microseconds.
    """
    wall_ns, cpu_ns = [], []
    begun_ns = time.perf_counter_ns()
    while len(wall_ns) < most and time.perf_counter_ns() - begun_ns < seconds * 1e9:
        frame = stream[len(wall_ns) % len(stream)]
        used_ns, started_ns = time.process_time_ns(), time.perf_counter_ns()
        push(frame)
        wall_ns.append(time.perf_counter_ns() - started_ns)
        cpu_ns.append(time.process_time_ns() - used_ns)
    return [value / 1e3 for value in wall_ns], statistics.median(cpu_ns) / 1e3


def peak_mib() -> float:
    """Return the peak of the resident memory; `getrusage` would count that of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / _KIB


if __name__ == "__main__":
    sys.exit(main())
