"""Judge a result file alone: the rules again, and the figures again from the raw samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevid.bench.files import read, read_samples
from edgevid.bench.result import Result
from edgevid.bench.rules import judge
from edgevid.bench.stages import stage_statistics
from edgevid.errors import ResultInvalid
from edgevid.frames import Array
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_MS

# Raw samples are stored in steps of 100 ns, rounded down.
_STEP_MS, _ROUNDING_MS = 100 / NS_PER_MS, 1e-6
_CHECKED = ("p50", "p90", "p95", "p99")


def check(path: Path) -> Result:
    """Read a result and verify it.

    Args:
        path: The result; its raw samples lie beside it.

    Returns:
        The result, judged by this version's rules.

    Raises:
        UsageError: The file cannot be read.
        ResultInvalid: It breaks the format, its samples are missing or changed, or its figures or
            its verdict are not those of its samples.
    """
    result = read(path)
    samples = read_samples(result, path)
    runs = [samples[samples[:, 0] == process][:, 1:] for process in np.unique(samples[:, 0])]
    _check_stages(result, runs, path)
    _check_processes(result, runs, path)
    judged = judge(result)
    for told, found in zip(result.validity.rules, judged.rules, strict=False):
        if told.outcome != found.outcome:
            raise _edited(path, f"{told.id} {told.outcome}", f"it is {found.outcome} by its own figures")
    if judged.valid != result.validity.valid:
        raise _edited(path, f"valid {result.validity.valid}", f"it is {judged.valid} by its own figures")
    return dataclasses.replace(result, validity=judged)


def _check_stages(result: Result, runs: Sequence[Array], path: Path) -> None:
    """Compute the percentiles again."""
    largest = {name: round(stage.max * NS_PER_MS) for name, stage in result.stages.items()}
    again = stage_statistics(runs, {**dict.fromkeys(STAGES, 0), **largest}, window=result.bundle.window)
    if set(again) != set(result.stages):
        raise _edited(path, f"stages {', '.join(result.stages)}", f"{', '.join(again)} in its samples")
    for name, stage in result.stages.items():
        for each in _CHECKED:
            told, found = stage.percentiles[each].value, again[name].percentiles[each].value
            if abs(told - found) > _STEP_MS + _ROUNDING_MS:
                raise _edited(path, f"{each} of {name} {told:.4f} ms", f"{found:.4f} ms in its samples")


def _check_processes(result: Result, runs: Sequence[Array], path: Path) -> None:
    """Compute the medians of the processes again."""
    if len(runs) != len(result.processes):
        raise _edited(path, f"{len(result.processes)} processes", f"{len(runs)} in its samples")
    for told, run in zip(result.processes, runs, strict=True):
        found = float(np.median(run[:, list(STAGES).index("total")])) / NS_PER_MS
        if abs(told.p50_ms - found) > _STEP_MS + _ROUNDING_MS:
            raise _edited(path, f"a process with a median of {told.p50_ms:.4f} ms", f"{found:.4f} ms in its samples")


def _edited(path: Path, told: str, found: str) -> ResultInvalid:
    return ResultInvalid(expected=f"{path} to agree with itself", found=f"{told}, but {found}", path=path)
