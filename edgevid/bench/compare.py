"""Compare two results: the effect, its interval, and one word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgevid.bench.result import Result
from edgevid.bench.statistics import Shift, shift
from edgevid.errors import ResultInvalid, UsageError
from edgevid.frames import Array
from edgevid.telemetry.latency import NONE
from edgevid.telemetry.telemetry import STAGES
from edgevid.units import NS_PER_MS

Word = Literal["faster", "slower", "same within 1 %", "cannot tell"]
# Differences below this share are of no use to anybody.
SAME = 0.01


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two results of one stage.

    Attributes:
        stage: The stage.
        old_ms: Medians of the old processes.
        new_ms: Medians of the new ones.
        shift: New over old.
        word: The verdict.
        factor: What differs between the two, in words; empty if nothing does.
        is_one_session: Whether `bench sweep` measured both in turn. Two sessions may differ by
            themselves.
    """

    stage: str
    old_ms: tuple[float, ...]
    new_ms: tuple[float, ...]
    shift: Shift
    word: Word
    factor: str
    is_one_session: bool


def compare(
    old: Result,
    new: Result,
    old_samples: Array,
    new_samples: Array,
    *,
    stage: str = "total",
    across: bool = False,
    even_invalid: bool = False,
) -> Comparison:
    """Compare two results.

    Args:
        old: The first.
        new: The second.
        old_samples: Its raw samples, as `files.read_samples` returns them.
        new_samples: Those of the second.
        stage: The stage to compare.
        across: Whether to compare different machines and scenarios too.
        even_invalid: Whether to compare invalid results too.

    Raises:
        UsageError: They differ in more than one thing, or there is no such stage.
        ResultInvalid: A result is invalid.
    """
    for name, result in (("the first result", old), ("the second result", new)):
        if result.validity.failed and not even_invalid:
            raise ResultInvalid(
                expected=f"{name} to be valid",
                found=f"failed rules: {', '.join(each.id for each in result.validity.failed)}",
                hint="Measure again, or pass --even-invalid.",
            )
    factor = _factor(old, new, across=across)
    if stage not in old.stages or stage not in new.stages:
        raise UsageError(
            expected="a stage of both results", choices=[s for s in old.stages if s in new.stages], got=stage
        )
    medians = _medians(old_samples, stage), _medians(new_samples, stage)
    if not all(value > 0 for group in medians for value in group):
        raise UsageError(expected="a stage that takes time in both results", got=stage)
    found = shift(*medians)
    return Comparison(
        stage=stage,
        old_ms=medians[0],
        new_ms=medians[1],
        shift=found,
        word=word(found),
        factor=factor,
        is_one_session=old.began == new.began and old.command == new.command,
    )


def word(found: Shift) -> Word:
    """Return the verdict on a difference."""
    if found.low is None or found.high is None:
        return "cannot tell"
    if found.low >= 1 - SAME and found.high <= 1 + SAME:
        return "same within 1 %"
    if found.low > 1:
        return "slower"
    return "faster" if found.high < 1 else "cannot tell"


def _medians(samples: Array, stage: str) -> tuple[float, ...]:
    """Return the median of a stage in each process, in ms."""
    column = 1 + list(STAGES).index(stage)
    rows = samples[samples[:, column] != NONE]
    return tuple(
        float(np.median(rows[rows[:, 0] == process][:, column])) / NS_PER_MS for process in np.unique(rows[:, 0])
    )


def _factor(old: Result, new: Result, *, across: bool) -> str:
    """Return the one thing that differs; reject a comparison of more."""
    surroundings = list(_differences(_conditions(old), _conditions(new)))
    if surroundings and not across:
        raise UsageError(
            expected="results of one machine and scenario",
            found=f"another {', another '.join(surroundings)}",
            hint="Pass --across to compare them anyway.",
        )
    factors = list(_differences(_factors(old), _factors(new)))
    if len(factors) > 1 and not across:
        raise UsageError(
            expected="results that differ in one thing",
            found=", ".join(factors),
            hint="Pass --across to compare them anyway.",
        )
    return ", ".join([*factors, *surroundings])


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    for name, value in old.items():
        if value != new[name]:
            yield name if name == "bundle" else f"{name} ({value or 'none'} and {new[name] or 'none'})"


def _conditions(result: Result) -> dict[str, object]:
    machine, scenario = result.machine, result.scenario
    return {
        "board": machine.board,
        "processor": machine.cpu,
        "architecture": machine.arch,
        "number of cores": machine.cores,
        "kernel": machine.kernel,
        "operating system": machine.os,
        "memory": machine.ram_mib,
        "highest clock": machine.clock_max_mhz,
        "virtual machine": machine.virtual,
        "firmware": machine.firmware,
        "governor": machine.governor,
        "scenario": scenario.kind,
        "source": scenario.source,
        "rate": scenario.fps,
        "load": scenario.load,
        "warm-up": scenario.warm_up_s,
        "temperature to cool to": scenario.cool_to_c,
        "cores": ",".join(map(str, scenario.affinity)),
    }


def _factors(result: Result) -> dict[str, object]:
    engine = result.engine
    return {
        "bundle": result.bundle.sha256,
        "interpreter": engine.interpreter,
        "number of threads": engine.threads,
        "delegate": engine.delegate_got,
        "edgevid": result.versions.get("edgevid"),
        "Python": result.versions.get("python"),
        "numpy": result.versions.get("numpy"),
        "frame size": "x".join(map(str, result.scenario.frame_size)),
    }
