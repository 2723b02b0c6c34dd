"""The figures of a benchmark's result, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgevid.schema import optional


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: The figure.
        low: Lower end; left out where the samples do not reach it.
        high: Upper end; left out where the samples do not reach it, and then `value` is only a lower
            bound.
        bound_99: One-sided upper bound at 99 %, of percentiles.
    """

    value: float
    low: float | None = optional(None)
    high: float | None = optional(None)
    bound_99: float | None = optional(None)

    @property
    def is_supported(self) -> bool:
        """Whether the samples are enough for the figure."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, kw_only=True)
class StageStatistics:
    """Statistics of one stage in milliseconds.

    Attributes:
        n: Stored samples.
        n_effective: Independent samples that carry as much.
        min: Least sample.
        mean: Mean; its interval is the wider of a block bootstrap and of Student's over processes.
        max: Largest of all answers, stored or not.
        percentiles: p5 to p99.9; an interval is the wider of that over frames and that over processes.
        mad: Median absolute deviation.
        cv: Robust coefficient of variation, 1.4826 MAD / median.
        lag1: Autocorrelation of ranks at lag 1.
        outliers: Samples with a modified z-score above 14.826.
        drift: Change over the run of the process with the strongest evidence, as a share of its median.
        drift_p: Mann-Kendall probability that there is none, times the number of processes.
    """

    n: int
    n_effective: float
    min: float
    mean: Estimate
    max: float
    percentiles: Mapping[str, Estimate]
    mad: float
    cv: float
    lag1: float
    outliers: int
    drift: float
    drift_p: float


@dataclass(frozen=True, kw_only=True)
class ProcessRun:
    """One fresh process.

    Attributes:
        n: Frames that it measured.
        took_s: Time that they took.
        cpu_s: Processor time of the process over that time, all threads.
        p50_ms: Median of `total`.
        kept_every: The times of every `kept_every`-th answer are stored.
        switches_forced: Times that the kernel took the processor away.
        faults: Page faults that read from storage.
    """

    n: int
    took_s: float
    cpu_s: float
    p50_ms: float
    kept_every: int
    switches_forced: int
    faults: int


@dataclass(frozen=True, kw_only=True)
class RealTime:
    """Punctuality of the answers at a source that does not wait.

    Attributes:
        deadline_ms: Time from a frame's due time to its answer: the interval of the frames.
        due: Frames that were due.
        misses: Frames whose answer came later, or that were dropped.
        miss_share_upper: Upper end of the share of misses, 95 % one-sided.
        longest_run: Most misses in a row.
        jitter_ms: Interquartile range of the age of answers.
        duty: Share of one core's time that the process was busy, all threads.
        dropped: Frames dropped by cause.
    """

    deadline_ms: float
    due: int
    misses: int
    miss_share_upper: float
    longest_run: int
    jitter_ms: float
    duty: float
    dropped: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start in a fresh process."""

    is_cold: bool
    import_ms: float
    load_ms: float
    first_decision_ms: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of the measuring process in MiB, the largest of all; left out where the kernel hides it.

    Attributes:
        imported: Resident after the imports of a start.
        rss: Resident at the end.
        peak: Largest resident ever.
        pss: Resident, with shared pages divided among their users.
        bundle: Size of the file.
    """

    imported: float | None = optional(None)
    rss: float | None = optional(None)
    peak: float | None = optional(None)
    pss: float | None = optional(None)
    bundle: float


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Accuracy on labelled clips, by the engine that was measured.

    Attributes:
        clips: Number of clips.
        correct: Clips whose highest score is that of their label.
        top1: Share of correct clips.
        low: Lower end of its 95 % Wilson interval.
        high: Upper end.
        bundle_sha256: Hash of the bundle that classified them.
        interpreter: What ran its parts.
        threads: Interpreter threads.
    """

    clips: int
    correct: int
    top1: float
    low: float
    high: float
    bundle_sha256: str
    interpreter: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Energy:
    """What the measurement took from the supply.

    Attributes:
        sensor: Name of the sensor.
        sees: What it sees and what not.
        hz: Readings a second.
        idle_w: Mean power before and after.
        mean_w: Mean power while measuring.
        j_per_answer: Energy of an answer, all included.
        j_per_answer_above_idle: The part that idleness would not have taken.
        idle_s: Length of each idle time.
    """

    sensor: str
    sees: str
    hz: float
    idle_w: tuple[float, ...]
    mean_w: float
    j_per_answer: float
    j_per_answer_above_idle: float
    idle_s: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """The surroundings once a second; a list is empty where the machine does not report it.

    Attributes:
        t_s: Time since the beginning.
        measuring: Number of the process that was measuring; -1 between two.
        temperature_c: Of the chip.
        clock_mhz: Lowest clock of all cores.
        throttled: The firmware's bits for the present.
        foreign_cores: Cores that other programs used; below 0 when the time of a child is counted late.
        pressure: Share of the time in which some task waited for a core, over 10 s.
        steal: Share of the time that a hypervisor took.
        swapped_mib: Swap in use.
    """

    t_s: tuple[float, ...]
    measuring: tuple[int, ...]
    temperature_c: tuple[float, ...]
    clock_mhz: tuple[float, ...]
    throttled: tuple[int, ...]
    foreign_cores: tuple[float, ...]
    pressure: tuple[float, ...]
    steal: tuple[float, ...]
    swapped_mib: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The machine during a measurement.

    Attributes:
        series: Once a second.
        throttled_during: Conditions that the firmware reported during the run; left out where it
            reports none.
        throttled_s: Seconds with one of them.
        programs: Other programs that used more than 5 % of a core: share of a core by name.
        services: Other processes of edgevid.
    """

    series: Series
    throttled_during: tuple[str, ...] | None = optional(None)
    throttled_s: float = optional(0.0)
    programs: Mapping[str, float]
    services: tuple[str, ...] = optional(())
