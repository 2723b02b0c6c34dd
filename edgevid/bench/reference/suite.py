"""Run the suite: every bundle saturated and paced, then the stream with truth."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import numpy as np

from edgevid.bench.figures import Surroundings
from edgevid.bench.fresh_process import run_module
from edgevid.bench.measuring.measure import Measurement, measure_each
from edgevid.bench.measuring.options import BenchOptions, Subject
from edgevid.bench.measuring.surroundings import SurroundingsSampler
from edgevid.bench.reference.film import PERSON_S, SEEDS
from edgevid.bench.reference.score import StreamScore
from edgevid.bench.reference.stream_worker import StreamReport, StreamTask
from edgevid.bench.reference.workloads import STREAM_WORKLOAD
from edgevid.schema import optional
from edgevid.telemetry.environment import versions

FORMAT: Literal["edgevid-reference"] = "edgevid-reference"
VERSION = 1
Say = Callable[[str], None]
_PATIENCE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much to measure; results of equal amounts may be compared.

    Attributes:
        saturate_s: Least time of each bundle, saturated, over all processes.
        paced_s: The same, paced.
        min_frames: Least answers of each saturated bundle; a tenth of them paced.
        processes: Fresh processes of each.
        person_s: Time of each person in the stream.
        warm_up_s: Time in each process that is not counted.
        heat_first_s: Time to work before anything is measured.
    """

    saturate_s: float = 45.0
    paced_s: float = 90.0
    min_frames: int = 2000
    processes: int = 5
    person_s: float = PERSON_S
    warm_up_s: float = 2.0
    heat_first_s: float = 60.0


FULL = Amounts()
SHORT = Amounts(
    saturate_s=2.0, paced_s=2.0, min_frames=100, processes=2, person_s=12.0, warm_up_s=0.5, heat_first_s=0.0
)


@dataclass(frozen=True, kw_only=True)
class StreamResult:
    """How the stream with truth was answered, in real time.

    Attributes:
        bundle: Name of the bundle that answered.
        duration_s: Length of the stream.
        moments: True actions.
        hits: Actions that were announced by 1 s after their end.
        false_alarms: Announcements that belong to no action.
        delay_p50_s: Median time from an action's start to its announcement.
        delay_p90_s: 90th percentile of it.
        due: Frames that were due.
        late: Of these, answered late or never.
        duty: Processor time of all threads by elapsed time, in cores.
        surroundings: The machine during the stream.
    """

    bundle: str
    duration_s: float
    moments: int
    hits: int
    false_alarms: int
    delay_p50_s: float | None = optional(None)
    delay_p90_s: float | None = optional(None)
    due: int
    late: int
    duty: float
    surroundings: Surroundings


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The part of a suite's file that is not the result of one bundle.

    Attributes:
        format: Always "edgevid-reference".
        version: Version of the format and of the bundles.
        began: Time of the beginning, UTC, ISO 8601.
        took_s: Time of the whole suite.
        amounts: How much was measured.
        versions: Of Python and the packages.
        results: Names of the results.
        stream: The stream with truth.
    """

    format: Literal["edgevid-reference"]
    version: int
    began: str
    took_s: float
    amounts: Amounts
    versions: Mapping[str, str]
    results: tuple[str, ...]
    stream: StreamResult


def run_suite(
    bundles: Mapping[str, Path],
    *,
    amounts: Amounts = FULL,
    threads: int = 1,
    command: str = "",
    root: Path = Path("/"),
    say: Say = lambda _text: None,
) -> tuple[Suite, dict[str, Measurement]]:
    """Measure all bundles, and play the stream.

    Args:
        bundles: The bundles by name.
        amounts: How much to measure.
        threads: Interpreter threads.
        command: The command line, for the results.
        root: Folder with `sys`, `proc` and `usr`, from which the surroundings are read.
        say: Called with a line of progress.

    Returns:
        The suite's own part, and the results by name, such as "gestures-paced".

    Raises:
        EdgevidError: A bundle cannot be measured.
    """
    began, began_s = datetime.datetime.now(datetime.UTC), monotonic()
    measured: dict[str, Measurement] = {}
    for options in _scenarios(amounts, threads):
        subjects = [Subject(path=path, options=options) for path in bundles.values()]
        found = measure_each(subjects, command=command, root=root, say=say)
        measured |= {f"{name}-{options.scenario}": each for name, each in zip(bundles, found, strict=True)}
    say(f"stream with truth: {amounts.person_s * len(SEEDS):.0f} s, after it is rendered")
    stream = _play(bundles[STREAM_WORKLOAD], amounts, threads, root)
    return Suite(
        format=FORMAT,
        version=VERSION,
        began=began.isoformat(timespec="seconds"),
        took_s=round(monotonic() - began_s, 3),
        amounts=amounts,
        versions=versions(),
        results=tuple(measured),
        stream=stream,
    ), measured


def _scenarios(amounts: Amounts, threads: int) -> tuple[BenchOptions, BenchOptions]:
    shared = BenchOptions(threads=threads, processes=amounts.processes, starts=1, warm_up_s=amounts.warm_up_s)
    return (
        dataclasses.replace(
            shared,
            min_time_s=amounts.saturate_s,
            min_frames=amounts.min_frames,
            heat_first_s=amounts.heat_first_s,
        ),
        dataclasses.replace(shared, scenario="paced", min_time_s=amounts.paced_s, min_frames=amounts.min_frames // 10),
    )


def _play(path: Path, amounts: Amounts, threads: int, root: Path) -> StreamResult:
    task = json.dumps(dataclasses.asdict(StreamTask(bundle=str(path), threads=threads, person_s=amounts.person_s)))
    limit_s = 2 * amounts.person_s * len(SEEDS) + _PATIENCE_S
    with SurroundingsSampler(root) as sampler, sampler.measuring(0):
        data = run_module("edgevid.bench.reference.stream_worker", task, limit_s=limit_s)
    return stream_result(_report(data), sampler.surroundings(), duration_s=amounts.person_s * len(SEEDS))


def _report(data: dict[str, Any]) -> StreamReport:
    told = data.pop("score")
    return StreamReport(score=StreamScore(**{**told, "delays_s": tuple(told["delays_s"])}), **data)


def stream_result(report: StreamReport, surroundings: Surroundings, *, duration_s: float) -> StreamResult:
    """Return the figures of a played stream."""
    delays = report.score.delays_s
    p50, p90 = (round(float(np.quantile(delays, share)), 4) if delays else None for share in (0.5, 0.9))
    return StreamResult(
        bundle=STREAM_WORKLOAD,
        duration_s=duration_s,
        moments=report.score.moments,
        hits=report.score.hits,
        false_alarms=report.score.false_alarms,
        delay_p50_s=p50,
        delay_p90_s=p90,
        due=report.due,
        late=report.late,
        duty=report.duty,
        surroundings=surroundings,
    )
