"""A small valid result with its samples, without a measurement."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from edgevid.bench import figures
from edgevid.bench import result as results
from edgevid.bench.rules import judge
from edgevid.bench.stages import stage_statistics
from edgevid.telemetry.latency import NONE
from edgevid.telemetry.telemetry import STAGES

TOTAL = list(STAGES).index("total")
_QUIET = figures.Series(
    t_s=tuple(map(float, range(20))),
    measuring=(0,) * 20,
    temperature_c=(50.0,) * 20,
    clock_mhz=(2400.0,) * 20,
    throttled=(0,) * 20,
    foreign_cores=(0.01,) * 19,
    pressure=(0.0,) * 20,
    steal=(0.0,) * 19,
    swapped_mib=(0.0,) * 20,
)


def samples_of(*, processes: int = 5, each: int = 1000, ms: float = 2.0, between: float = 0.001, seed: int = 0) -> Any:
    """Rows of processes whose total is around a median, with 1 % noise, and a little between the processes."""
    rng = np.random.default_rng(seed)
    rows = np.full((processes * each, 1 + len(STAGES)), NONE, np.int64)
    rows[:, 0] = np.repeat(np.arange(processes), each)
    offsets = np.repeat(rng.normal(0, between, processes), each)
    rows[:, 1 + TOTAL] = (
        np.round(ms * 1e6 * (1 + offsets + rng.normal(0, 0.01, len(rows)))).astype(np.int64) // 100 * 100
    )
    return rows


def result_of(samples: Any, *, series: figures.Series = _QUIET, **changes: Any) -> results.Result:
    """A result of a quiet board that samples belong to, judged by the rules."""
    runs = [samples[samples[:, 0] == process][:, 1:] for process in np.unique(samples[:, 0])]
    fields: dict[str, Any] = {
        "format": "edgevid-bench",
        "version": 1,
        "id": "0",
        "began": "2026-01-01T00:00:00+00:00",
        "took_s": 40.0,
        "command": "edgevid bench tiny.edgevid",
        "bundle": results.MeasuredBundle(
            name="tiny", sha256="a", plan="window", input=(6, 8, 3), window=4, interval_s=0.1, parts=()
        ),
        "scenario": results.Scenario(
            kind="saturate", source="noise", min_time_s=10.0, min_frames=1000, processes=5, warm_up_s=1.0, seed=0
        ),
        "engine": results.MeasuredEngine(interpreter="i 1", threads=1, delegate_asked="auto", delegate_got="xnnpack"),
        "machine": results.MeasuredMachine(
            board="Raspberry Pi 5", arch="aarch64", cores=4, os="Debian", kernel="6", clock_max_mhz=2400
        ),
        "versions": {"python": "3.13", "numpy": "2", "edgevid": "0.1.0"},
        "selftest": results.MeasuredSelftest(answers=4, identical=True),
        "stages": stage_statistics(runs, dict.fromkeys(STAGES, int(samples[:, 1 + TOTAL].max())), window=4),
        "processes": tuple(
            figures.ProcessRun(
                n=len(run),
                took_s=10.0,
                cpu_s=5.0,
                p50_ms=round(float(np.median(run[:, TOTAL])) / 1e6, 6),
                kept_every=1,
                switches_forced=0,
                faults=0,
            )
            for run in runs
        ),
        "start": (),
        "memory": figures.Memory(bundle=0.2),
        "surroundings": figures.Surroundings(series=series, throttled_during=(), programs={}),
        "validity": results.Validity(valid=False, rules=()),
    }
    made = results.Result(**{**fields, **changes})
    return dataclasses.replace(made, validity=judge(made))


def quiet(**changes: Any) -> figures.Series:
    """The surroundings of a quiet board, but for changes."""
    return dataclasses.replace(_QUIET, **changes)
