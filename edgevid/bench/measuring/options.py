"""What a benchmark shall measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevid.bench.measuring.loop import NOISE, Task
from edgevid.bench.result import ScenarioKind
from edgevid.bundle import Bundle
from edgevid.errors import UsageError

_PACED = ("paced", "soak", "crowd")


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What to measure.

    Attributes:
        scenario: "saturate": noise frames as fast as they are taken. "paced": noise frames when they
            are due. "replay": a recording at its own pace. "camera": a live source. "start": starts
            alone. "soak": paced, in one long process. "crowd": paced, with a load beside it.
        source: Address of the recording or camera.
        fps: Frames a second that are due in "paced", "soak" and "crowd"; None for the model's rate.
        size: (width, height) of noise frames in pixels; None for the model's, which needs no resize.
        threads: Interpreter threads.
        delegate: As for `--delegate`.
        min_time_s: Least time to measure, over all processes.
        min_frames: Least answers, over all processes.
        processes: Fresh processes, at least 1.
        warm_up_s: Time in each process that is not counted.
        until_stable: Whether to add processes until the interval of the median is within 1 % of it.
        max_time_s: Time after which none is added.
        cool_to_c: Temperature in °C to wait for before each process; None to measure at any.
        affinity: Cores to run on; empty for all.
        heat_first_s: Time to work before the first measurement, so that the board is warm.
        starts: Starts to measure.
        load: Load of scenario "crowd", as for stress-ng: "cpu=2".
        find_rate: Whether to look for the highest sustainable rate.
        cross_check: Whether to run LiteRT's own benchmark tool on each part too.
        clips: Folder `<label>/<clip>` on which to measure the accuracy; None for no accuracy.
        power: Sensor of power; None for no energy.
        idle_s: Time to measure idleness before and after.
        seed: Of the noise.

    Raises:
        UsageError: The scenario lacks its source or load, or an option has no effect in it.
    """

    scenario: ScenarioKind = "saturate"
    source: str = NOISE
    fps: float | None = None
    size: tuple[int, int] | None = None
    threads: int = 1
    delegate: str = "auto"
    min_time_s: float = 30.0
    min_frames: int = 2000
    processes: int = 5
    warm_up_s: float = 2.0
    until_stable: bool = False
    max_time_s: float = 1800.0
    cool_to_c: float | None = None
    affinity: tuple[int, ...] = ()
    heat_first_s: float = 0.0
    starts: int = 3
    load: str = ""
    find_rate: bool = False
    cross_check: bool = False
    clips: Path | None = None
    power: str | None = None
    idle_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        has_source, needs_source = self.source != NOISE, self.scenario in ("replay", "camera")
        if needs_source != has_source:
            raise UsageError(
                expected=f"{'a' if needs_source else 'no'} source for scenario {self.scenario!r}",
                found="one" if has_source else "none",
                hint="Use --scenario replay or camera." if has_source else "Name it with --source.",
            )
        if (self.scenario == "crowd") != bool(self.load):
            raise UsageError(
                expected="--load with scenario 'crowd', and only with it",
                found=self.load or "none",
                hint="For instance: --scenario crowd --load cpu=2.",
            )
        if self.cool_to_c is not None and self.heat_first_s:
            raise UsageError(expected="--cool-to or --heat-first", found="both")
        # An option without effect would be taken for one that was measured.
        for name, is_set, is_legal in (
            ("--fps", self.fps is not None, self.scenario in _PACED),
            ("--size", self.size is not None, not has_source),
            ("--find-rate", self.find_rate, self.scenario in ("saturate", *_PACED)),
            ("--clips", self.clips is not None, self.scenario != "start"),
            ("--until-stable", self.until_stable, self.scenario not in ("start", "soak")),
            ("--cool-to", self.cool_to_c is not None, self.scenario != "start"),
            ("--affinity", bool(self.affinity), self.scenario != "start"),
            ("--cross-check", self.cross_check, self.scenario == "saturate"),
        ):
            if is_set and not is_legal:
                raise UsageError(expected=f"a scenario in which {name} has an effect", got=self.scenario)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One bundle and how to measure it.

    Attributes:
        path: The bundle's file.
        options: What to measure.
    """

    path: Path
    options: BenchOptions


def task_of(path: Path, bundle: Bundle, options: BenchOptions) -> Task:
    """Return what one of the processes shall do; its `samples` is empty."""
    return Task(
        bundle=str(path),
        threads=options.threads,
        delegate=options.delegate,
        source=options.source,
        fps=fps_of(bundle, options),
        size=options.size or (),
        deadline_s=deadline_s_of(bundle, options),
        min_time_s=options.min_time_s / options.processes,
        min_frames=-(-options.min_frames // options.processes),
        warm_up_s=options.warm_up_s,
        seed=options.seed,
        affinity=options.affinity,
        samples="",
    )


def fps_of(bundle: Bundle, options: BenchOptions) -> float | None:
    """Return the rate of noise frames; None where they do not wait, or come from elsewhere."""
    if options.scenario not in _PACED:
        return None
    return options.fps or 1 / bundle.manifest.window.interval_s


def deadline_s_of(bundle: Bundle, options: BenchOptions) -> float | None:
    """Return the age from which an answer is late; None if the source waits."""
    if options.scenario in ("replay", "camera"):
        return bundle.manifest.window.interval_s
    fps = fps_of(bundle, options)
    return None if fps is None else 1 / fps
