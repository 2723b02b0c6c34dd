"""Measure a bundle: fresh processes one after another, the machine watched beside them."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import random
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

from edgevid import bundle as bundles
from edgevid.bench import result as results
from edgevid.bench.figures import Accuracy, Energy, Estimate, Start
from edgevid.bench.measuring import describe
from edgevid.bench.measuring.child import Run, run_task
from edgevid.bench.measuring.cross_check import cross_check
from edgevid.bench.measuring.crowd import crowd
from edgevid.bench.measuring.energy import Meter, open_meter
from edgevid.bench.measuring.loop import Task
from edgevid.bench.measuring.machine import measured_machine
from edgevid.bench.measuring.options import BenchOptions, Subject, deadline_s_of, task_of
from edgevid.bench.measuring.rates import sustainable_fps
from edgevid.bench.measuring.starts import measure_starts
from edgevid.bench.measuring.surroundings import SurroundingsSampler
from edgevid.bench.patience import cool_down, is_stable
from edgevid.bench.rules import judge
from edgevid.bench.scoring.accuracy import measure_accuracy
from edgevid.bench.scoring.labelled_clips import find_labelled_clips
from edgevid.bench.stages import stage_statistics
from edgevid.bundle import Bundle
from edgevid.frames import Array
from edgevid.telemetry.environment import versions
from edgevid.telemetry.telemetry import STAGES

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured of a subject.

    Attributes:
        result: The result, without `raw`.
        samples: Kept samples: (N, 1 + stages) int64; first the number of the process, then times in ns.
    """

    result: results.Result
    samples: Array


def measure(
    path: Path, options: BenchOptions, *, command: str = "", root: Path = Path("/"), say: Say = lambda _text: None
) -> Measurement:
    """Measure a bundle on this machine; see `measure_each`."""
    return measure_each([Subject(path=path, options=options)], command=command, root=root, say=say)[0]


def measure_each(
    subjects: Sequence[Subject], *, command: str = "", root: Path = Path("/"), say: Say = lambda _text: None
) -> list[Measurement]:
    """Measure subjects in turn, one process of each in random order, so that a disturbance meets all of them.

    Args:
        subjects: At least one; of the first one's options those for the machine count: load, power
            and idle time.
        command: The command line, for the results.
        root: Folder with `sys`, `proc` and `usr`, from which the surroundings are read.
        say: Called with a line of progress.

    Returns:
        A measurement for each subject, in their order.

    Raises:
        EdgevidError: A bundle cannot be loaded or fails its self-test, or a process fails.
        UsageError: A scenario lacks its source or load.
    """
    works = [_Work(subject, bundles.read(subject.path)) for subject in subjects]
    first = subjects[0].options
    began, began_s = datetime.datetime.now(datetime.UTC), monotonic()
    with ExitStack() as stack:
        meter = stack.enter_context(open_meter(first.power, first.idle_s, root=root)) if first.power else None
        stack.enter_context(crowd(first.load))
        sampler = stack.enter_context(SurroundingsSampler(root))
        for work in works:
            work.start(say)
        _run_in_turn(works, sampler, meter, root, say)
        for work in works:
            work.find_rate(say)
            work.cross_check(say)
            work.score_clips(say)
    taken_s = monotonic() - began_s
    energies = [
        meter.energy(number, sum(run.report.n for run in work.runs)) if meter and work.runs else None
        for number, work in enumerate(works)
    ]
    return [
        _measurement(work, sampler, energy, began, taken_s, command=command, root=root)
        for work, energy in zip(works, energies, strict=True)
    ]


def _run_in_turn(
    works: Sequence[_Work], sampler: SurroundingsSampler, meter: Meter | None, root: Path, say: Say
) -> None:
    order, began_s = random.Random(works[0].options.seed), monotonic()
    for number in itertools.count():
        waiting = [work for work in works if work.wants(number, monotonic() - began_s)]
        if not waiting:
            return
        for work in order.sample(waiting, len(waiting)):
            if work.options.cool_to_c is not None:
                cool_down(work.options.cool_to_c, root=root, say=say)
            many = f"{number + 1} of {work.processes}" if number < work.processes else f"{number + 1}, until stable"
            say(f"{work.path.name}: process {many}, {work.process_s(number):.0f} s or more")
            with sampler.measuring(number):
                run = run_task(work.task(number))
            work.runs.append(run)
            if meter is not None:
                meter.measured(works.index(work), run.report.took_s)


class _Work:
    """A subject while it is measured."""

    def __init__(self, subject: Subject, bundle: Bundle) -> None:
        self.path, self.options, self.bundle = subject.path, subject.options, bundle
        # A wrong folder is found before minutes of measuring.
        self.clips = find_labelled_clips(self.options.clips, bundle) if self.options.clips else ()
        self.accuracy: Accuracy | None = None
        self.runs: list[Run] = []
        self.starts: list[Start] = []
        self.imported_mib: float | None = None
        self.sustainable_fps: float | None = None
        self.cross_checked: dict[str, Estimate] | None = None

    @property
    def processes(self) -> int:
        return 0 if self.options.scenario == "start" else self.options.processes

    def wants(self, number: int, elapsed_s: float) -> bool:
        """Return whether another process shall run after some."""
        if number < self.processes:
            return True
        options = self.options
        return (
            options.until_stable and elapsed_s < options.max_time_s and not is_stable([run.rows for run in self.runs])
        )

    def start(self, say: Say) -> None:
        self.starts, self.imported_mib = measure_starts(
            self.path,
            count=self.options.starts,
            threads=self.options.threads,
            may_drop_caches=self.options.scenario == "start",
            say=say,
        )

    def task(self, number: int) -> Task:
        task = task_of(self.path, self.bundle, self.options)
        heat_s = self.options.heat_first_s if number == 0 else 0.0
        return dataclasses.replace(task, warm_up_s=task.warm_up_s + heat_s)

    def process_s(self, number: int) -> float:
        task = self.task(number)
        return task.warm_up_s + task.min_time_s

    def find_rate(self, say: Say) -> None:
        if self.options.find_rate and self.runs:
            self.sustainable_fps = sustainable_fps(self.task(1), [run.rows for run in self.runs], say=say)

    def cross_check(self, say: Say) -> None:
        if self.options.cross_check and self.runs:
            say(f"{self.path.name}: LiteRT's own benchmark tool")
            self.cross_checked = cross_check(self.bundle, threads=self.options.threads)

    def score_clips(self, say: Say) -> None:
        if self.clips:
            say(f"{self.path.name}: accuracy on {len(self.clips)} clips")
            self.accuracy = measure_accuracy(
                self.path, self.clips, threads=self.options.threads, delegate=self.options.delegate
            )


def _measurement(
    work: _Work,
    sampler: SurroundingsSampler,
    energy: Energy | None,
    began: datetime.datetime,
    taken_s: float,
    *,
    command: str,
    root: Path,
) -> Measurement:
    path, bundle, options, runs = work.path, work.bundle, work.options, work.runs
    found = results.Result(
        format=results.FORMAT,
        version=results.VERSION,
        id=str(uuid.uuid4()),
        began=began.isoformat(timespec="seconds"),
        took_s=round(taken_s, 3),
        command=command,
        bundle=describe.bundle(path, bundle),
        scenario=describe.scenario(bundle, options, processes=len(runs)),
        engine=describe.engine(options, [run.report for run in runs]),
        machine=measured_machine(root),
        versions=versions(),
        selftest=describe.selftest(runs),
        stages=stage_statistics(
            [run.rows for run in runs], describe.largest_ns(runs), window=bundle.manifest.window.frames
        ),
        processes=tuple(map(describe.process, runs)),
        realtime=describe.realtime(runs, deadline_s=deadline_s_of(bundle, options)),
        sustainable_fps=work.sustainable_fps,
        start=tuple(work.starts),
        memory=describe.memory(path, runs, work.imported_mib),
        energy=energy,
        accuracy=work.accuracy,
        surroundings=sampler.surroundings(),
        cross_check=work.cross_checked,
        validity=results.Validity(valid=False, rules=()),
    )
    numbered = [np.column_stack([np.full(len(run.rows), number), run.rows]) for number, run in enumerate(runs)]
    samples = np.concatenate([np.zeros((0, 1 + len(STAGES)), np.int64), *numbered])
    return Measurement(result=dataclasses.replace(found, validity=judge(found)), samples=samples)
