"""Judge a result file alone: the rules again, and the figures again from the raw samples.

What the samples do not hold is taken from the file: durations, processor times, memory, the surroundings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edgevid.bench.figures import StageStatistics
from edgevid.bench.files import read, read_samples
from edgevid.bench.result import Finding, Result
from edgevid.bench.rules import judge
from edgevid.bench.stages import stage_statistics
from edgevid.bench.statistics import share_interval
from edgevid.bench.verdict import verdict
from edgevid.errors import ResultInvalid
from edgevid.frames import Array
from edgevid.schema import to_json
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_MS

# Of figures that were rounded to six digits, and of another machine's last bit.
_ROUNDING = 2e-6
# What figures out of any range may raise when they are computed with.
_FAULTS = (ArithmeticError, LookupError, ValueError, TypeError)


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
    try:
        _check_shape(result, path)
        runs = [samples[samples[:, 0] == process][:, 1:] for process in np.unique(samples[:, 0])]
        _check_processes(result, runs, path)
        _check_stages(result, runs, path)
        _check_accuracy(result, path)
        judged = judge(result)
        _check_validity(result, judged.rules, path)
        checked = dataclasses.replace(result, validity=judged)
        verdict(checked)
    except ResultInvalid:
        raise
    except _FAULTS as error:
        raise ResultInvalid(
            expected=f"figures in {path} that can be computed with", found=f"{type(error).__name__}: {error}", path=path
        ) from error
    return checked


def _check_shape(result: Result, path: Path) -> None:
    """Reject lists that do not belong together."""
    series = result.surroundings.series
    lengths = {len(values) for values in to_json(series).values()} - {0}
    # The first look knows no load yet.
    if lengths and not lengths <= {len(series.t_s), len(series.t_s) - 1}:
        raise _edited(path, f"{len(series.t_s)} looks at the machine", f"lists of {sorted(lengths)}")
    if result.engine.threads < 1:
        raise _edited(path, f"{result.engine.threads} threads", "there is one at least")


def _check_processes(result: Result, runs: Sequence[Array], path: Path) -> None:
    """Compute the medians and the numbers of answers again."""
    wanted = 0 if result.scenario.kind == "start" else result.scenario.processes
    if not len(runs) == len(result.processes) == wanted:
        found = f"{len(result.processes)} of them, and {len(runs)} in its samples"
        raise _edited(path, f"{wanted} processes", found)
    for told, run in zip(result.processes, runs, strict=True):
        kept = -(-told.n // told.kept_every)
        if len(run) != kept:
            raise _edited(path, f"every {told.kept_every} of {told.n} answers kept", f"{len(run)} are in its samples")
        found_ms = float(np.median(run[:, list(STAGES).index("total")])) / NS_PER_MS
        if abs(told.p50_ms - found_ms) > _ROUNDING:
            raise _edited(path, f"a process with a median of {told.p50_ms:.4f} ms", f"{found_ms:.4f} ms in its samples")


def _check_accuracy(result: Result, path: Path) -> None:
    """Compute the shares again from the number of correct clips."""
    told = result.accuracy
    if told is None:
        return
    if not 0 <= told.correct <= told.clips or told.clips < 1:
        raise _edited(path, f"{told.correct} correct clips", f"there are {told.clips} clips")
    low, high = share_interval(told.correct, told.clips)
    found = {"top1": told.correct / told.clips, "low": low, "high": high}
    _compare("accuracy", {name: getattr(told, name) for name in found}, found, path)


def _check_stages(result: Result, runs: Sequence[Array], path: Path) -> None:
    """Compute the statistics again."""
    largest = {name: round(stage.max * NS_PER_MS) for name, stage in result.stages.items()}
    again = stage_statistics(runs, {**dict.fromkeys(STAGES, 0), **largest}, window=result.bundle.window)
    if set(again) != set(result.stages):
        raise _edited(path, f"stages {', '.join(result.stages)}", f"{', '.join(again)} in its samples")
    for name, stage in result.stages.items():
        _compare(f"{name}", to_json(stage), to_json(again[name]), path)
        _check_largest(name, stage, runs, path)


def _check_largest(name: str, stage: StageStatistics, runs: Sequence[Array], path: Path) -> None:
    kept_ms = max(int(run[:, list(STAGES).index(name)].max()) for run in runs) / NS_PER_MS
    if stage.max < kept_ms - _ROUNDING:
        raise _edited(path, f"max of {name} {stage.max:.4f} ms", f"{kept_ms:.4f} ms in its samples")


def _compare(name: str, told: Mapping[str, object], found: Mapping[str, object], path: Path) -> None:
    """Compare two mappings of numbers, nested to any depth."""
    if set(told) != set(found):
        raise _edited(path, f"{name} with {', '.join(sorted(told))}", f"{', '.join(sorted(found))} by its samples")
    for key, value in told.items():
        other = found[key]
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            _compare(f"{key} of {name}", value, other, path)
        elif (
            isinstance(value, (int, float))
            and isinstance(other, (int, float))
            and abs(value - other) > _ROUNDING * max(1.0, abs(other))
        ):
            raise _edited(path, f"{key} of {name} {value:.6g}", f"{other:.6g} by its samples")


def _check_validity(result: Result, judged: Sequence[Finding], path: Path) -> None:
    told = [(each.id, each.outcome) for each in result.validity.rules]
    found = [(each.id, each.outcome) for each in judged]
    for one, other in zip(told, found, strict=False):
        if one != other:
            raise _edited(path, f"{one[0]} {one[1]}", f"{other[0]} is {other[1]} by its own figures")
    if len(told) != len(found):
        raise _edited(path, f"{len(told)} rules", f"there are {len(found)}")
    is_valid = all(outcome != "failed" for _, outcome in found)
    if result.validity.valid != is_valid:
        raise _edited(path, f"valid {result.validity.valid}", f"it is {is_valid} by its own figures")


def _edited(path: Path, told: str, found: str) -> ResultInvalid:
    return ResultInvalid(expected=f"{path} to agree with itself", found=f"{told}, but {found}", path=path)
