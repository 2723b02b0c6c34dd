"""The result of a benchmark: format `edgevid-bench`, version 1, as frozen dataclasses.

A file holds exactly these fields. Optional ones are left out where there is nothing to say; unknown
ones are rejected. The raw samples lie beside it, in a `.npz` whose hash the file holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgevid.bench.figures import (
    Accuracy,
    Energy,
    Estimate,
    Memory,
    ProcessRun,
    RealTime,
    StageStatistics,
    Start,
    Surroundings,
)
from edgevid.schema import optional

FORMAT: Literal["edgevid-bench"] = "edgevid-bench"
VERSION = 1
ScenarioKind = Literal["saturate", "paced", "replay", "camera", "start", "soak", "crowd"]
Outcome = Literal["passed", "failed", "unknown"]


@dataclass(frozen=True, kw_only=True)
class MeasuredPart:
    """One `.tflite` file of the bundle."""

    role: str
    precision: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class MeasuredBundle:
    """What was measured.

    Attributes:
        name: The bundle's name.
        sha256: Hash of the file.
        plan: "window", "stateful" or "stack".
        input: Shape of one prepared frame.
        window: Frames of the window.
        interval_s: Time between two frames of the window.
        parts: Its parts.
    """

    name: str
    sha256: str
    plan: str
    input: tuple[int, ...]
    window: int
    interval_s: float
    parts: tuple[MeasuredPart, ...]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """How it was measured.

    Attributes:
        kind: Name of the scenario.
        source: "noise", or the address of the file or camera.
        fps: Frames a second that are due; left out where frames come as fast as they are taken.
        frame_size: (width, height) of the source's frames in pixels.
        min_time_s: Least time to measure, over all processes.
        min_frames: Least frames to measure, over all processes.
        processes: Fresh processes.
        warm_up_s: Time in each process that is not counted.
        seed: Of the noise.
        load: The load beside it, in scenario "crowd".
        affinity: Cores that it ran on; left out if it could use all.
        cool_to_c: Temperature that was waited for before each process.
    """

    kind: ScenarioKind
    source: str
    fps: float | None = optional(None)
    frame_size: tuple[int, ...] = optional(())
    min_time_s: float
    min_frames: int
    processes: int
    warm_up_s: float
    seed: int
    load: str = optional("")
    affinity: tuple[int, ...] = optional(())
    cool_to_c: float | None = optional(None)


@dataclass(frozen=True, kw_only=True)
class MeasuredEngine:
    """What ran the parts."""

    interpreter: str
    threads: int
    delegate_asked: str
    delegate_got: str
    fallback_reason: str = optional("")


@dataclass(frozen=True, kw_only=True)
class MeasuredMachine:
    """Where it ran; what the machine does not report is left out.

    Attributes:
        board: Model string of the device tree.
        cpu: Processor.
        arch: Instruction set.
        cores: Cores that the benchmark could use.
        ram_mib: Total memory.
        os: Distribution.
        kernel: Kernel release.
        firmware: Version of the Raspberry Pi's boot loader.
        governor: Policy of the clock.
        clock_max_mhz: Highest clock.
        virtual: Kind of the virtual machine.
        is_emulated: Whether another processor executes these instructions.
    """

    board: str | None = optional(None)
    cpu: str | None = optional(None)
    arch: str
    cores: int
    ram_mib: int | None = optional(None)
    os: str
    kernel: str
    firmware: str | None = optional(None)
    governor: str | None = optional(None)
    clock_max_mhz: int | None = optional(None)
    virtual: str = optional("")
    is_emulated: bool = optional(False)


@dataclass(frozen=True, kw_only=True)
class MeasuredSelftest:
    """The self-test that every process passed before it measured."""

    answers: int
    identical: bool


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule of validity.

    Attributes:
        id: Its number in the reference.
        outcome: "unknown" where the machine does not report what the rule needs.
        found: What was found.
        do: What to do if it failed.
    """

    id: str
    outcome: Outcome
    found: str
    do: str = optional("")


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Whether the figures can be trusted: no rule failed."""

    valid: bool
    rules: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The rules that failed."""
        return tuple(each for each in self.rules if each.outcome == "failed")


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """The raw samples beside the result."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measurement.

    Attributes:
        format: Always "edgevid-bench".
        version: Version of the format.
        id: Random, to tell two files apart.
        began: Time of the beginning, UTC, ISO 8601.
        took_s: Time of the whole measurement.
        command: The command line, with the bundle's name for its path.
        stages: Statistics by stage, all processes together.
        realtime: Punctuality at a source that does not wait.
        sustainable_fps: Highest rate with fewer than 1 % misses; left out unless it was searched.
        accuracy: On labelled clips; left out unless some were given.
        cross_check: Median of LiteRT's own benchmark tool in ms, by role.
    """

    format: Literal["edgevid-bench"]
    version: int
    id: str
    began: str
    took_s: float
    command: str
    bundle: MeasuredBundle
    scenario: Scenario
    engine: MeasuredEngine
    machine: MeasuredMachine
    versions: Mapping[str, str]
    selftest: MeasuredSelftest
    stages: Mapping[str, StageStatistics]
    processes: tuple[ProcessRun, ...]
    realtime: RealTime | None = optional(None)  # noqa: RUF009  # None is immutable
    sustainable_fps: float | None = optional(None)
    start: tuple[Start, ...]
    memory: Memory
    energy: Energy | None = optional(None)  # noqa: RUF009  # None is immutable
    accuracy: Accuracy | None = optional(None)  # noqa: RUF009  # None is immutable
    surroundings: Surroundings
    cross_check: Mapping[str, Estimate] | None = optional(None)
    validity: Validity
    raw: RawFile | None = optional(None)  # noqa: RUF009  # None is immutable
