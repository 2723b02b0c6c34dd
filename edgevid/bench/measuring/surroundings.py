"""Samples heat, clocks, throttling and other programs once a second during a benchmark."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from typing import Self

from edgevid.bench import figures
from edgevid.board.state import read_state
from edgevid.board.throttling import HISTORY_SHIFT, NOW
from edgevid.telemetry.environment import read_field, read_text
from edgevid.telemetry.thread_faults import Turns
from edgevid.units import NS_PER_S

INTERVAL_S = 1.0
# A program below this share of a core is the system's own housekeeping.
FOREIGN_SHARE = 0.05
NOT_MEASURING = -1
_NOW_BITS = sum(NOW.values())
# `vcgencmd` is a process: run it for every fifth sample.
_SAMPLES_PER_PROCESS = 5


@dataclass(slots=True)
class _Times:
    """Processor time since the machine's start, in seconds: of all cores, of a hypervisor, of our processes."""

    at_ns: int = 0
    busy_s: float = 0.0
    steal_s: float = 0.0
    ours_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Program:
    """A process: its name, parent, processor time, and that of its children that have ended."""

    name: str
    parent: int
    used_s: float
    children_s: float


@dataclass
class _Lists:
    t_s: list[float] = field(default_factory=list)
    measuring: list[int] = field(default_factory=list)
    temperature_c: list[float] = field(default_factory=list)
    clock_mhz: list[float] = field(default_factory=list)
    throttled: list[int] = field(default_factory=list)
    foreign_cores: list[float] = field(default_factory=list)
    pressure: list[float] = field(default_factory=list)
    steal: list[float] = field(default_factory=list)
    swapped_mib: list[float] = field(default_factory=list)


class SurroundingsSampler:
    """Samples the machine once a second in a thread.

        with SurroundingsSampler() as sampler:
            with sampler.measuring(0):
                ...
            sampler.surroundings()

    Args:
        root: Folder with `sys`, `proc` and `usr`.
        interval_s: Time between two samples.
    """

    def __init__(self, root: Path = Path("/"), *, interval_s: float = INTERVAL_S) -> None:
        self._root, self._interval_s = root, interval_s
        self._lists, self._looks = _Lists(), 0
        self._process = NOT_MEASURING
        self._bits: int | None = None
        self._bits_at_start = 0
        self._began_ns = monotonic_ns()
        self._times = _Times()
        self._programs_before: dict[int, _Program] = {}
        self._services: set[str] = set()
        self._turns = Turns("surroundings")
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def measuring(self, process: int) -> Iterator[None]:
        """Mark the samples that are taken while the block runs.

        Args:
            process: Number of the process that measures meanwhile.
        """
        self._process = process
        try:
            yield
        finally:
            self._process = NOT_MEASURING

    def __enter__(self) -> Self:
        """Sample once, then start the thread."""
        self._began_ns = monotonic_ns()
        self._programs_before = _programs(self._root)
        self._look()
        self._thread = threading.Thread(target=self._run, name="edgevid-surroundings", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop the thread and sample once more."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        # The last sample runs the firmware's tool, so that the history bits are fresh.
        self._looks = 0
        self._turns.attempt(self._look)

    def surroundings(self) -> figures.Surroundings:
        """Return everything sampled so far."""
        took_s = max(1e-9, (monotonic_ns() - self._began_ns) / NS_PER_S)
        lists = self._lists
        series = {name: tuple(getattr(lists, name)) for name in figures.Series.__dataclass_fields__}
        during = None if self._bits is None else tuple(name for name, bit in NOW.items() if self._bits & bit)
        return figures.Surroundings(
            series=figures.Series(**series),
            throttled_during=during,
            throttled_s=sum(bits != 0 for bits in lists.throttled) * self._interval_s,
            programs=self._foreign_programs(took_s),
            services=tuple(sorted(self._services)),
        )

    def _run(self) -> None:
        while not self._done.wait(self._interval_s):
            self._turns.attempt(self._look)

    def _look(self) -> None:
        lists, before = self._lists, self._times
        state = read_state(self._root, ask_firmware=self._looks % _SAMPLES_PER_PROCESS == 0)
        self._looks += 1
        now = self._times = self._read_times()
        lists.t_s.append(round((now.at_ns - self._began_ns) / NS_PER_S, 3))
        lists.measuring.append(self._process)
        _append(lists.temperature_c, state.temperature_c)
        _append(lists.clock_mhz, _lowest_clock_mhz(self._root))
        if state.throttling is not None:
            self._note_throttling(state.throttling.bits)
        elapsed_s = (now.at_ns - before.at_ns) / NS_PER_S
        if before.at_ns and elapsed_s > 0:
            foreign_s = now.busy_s - before.busy_s - (now.ours_s - before.ours_s)
            # Not clipped: a child's time is counted when it ends, and the mean has to come out right.
            lists.foreign_cores.append(round(foreign_s / elapsed_s, 3))
            lists.steal.append(round(max(0.0, now.steal_s - before.steal_s) / elapsed_s, 4))
        _append(lists.pressure, _pressure(self._root))
        _append(lists.swapped_mib, _swapped_mib(self._root))

    def _note_throttling(self, bits: int) -> None:
        if self._bits is None:
            self._bits, self._bits_at_start = bits & _NOW_BITS, bits
        # A condition may come and go between two samples: then only its history bit is new.
        new = (bits & ~self._bits_at_start) >> HISTORY_SHIFT & _NOW_BITS
        self._bits |= bits & _NOW_BITS | new
        self._lists.throttled.append(bits & _NOW_BITS)

    def _read_times(self) -> _Times:
        busy_s, steal_s = _machine_times(self._root)
        programs = _programs(self._root)
        # A child that has ended is part of its parent's sum.
        ours_s = sum(programs[pid].used_s + programs[pid].children_s for pid in _family(programs, os.getpid()))
        return _Times(monotonic_ns(), busy_s, steal_s, ours_s)

    def _foreign_programs(self, took_s: float) -> dict[str, float]:
        """Return the share of a core by name of each foreign program above the limit, the busiest first."""
        shares: dict[str, float] = {}
        programs = _programs(self._root)
        own = _family(programs, os.getpid())
        for pid, program in programs.items():
            if pid in own:
                continue
            before = self._programs_before.get(pid)
            share = (program.used_s - (before.used_s if before else 0.0)) / took_s
            if share > FOREIGN_SHARE:
                shares[program.name] = round(shares.get(program.name, 0.0) + share, 3)
            if _is_service(self._root, pid):
                self._services.add(f"{program.name} ({pid})")
        return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _append(values: list[float], value: float | None) -> None:
    if value is not None:
        values.append(value)


def _tick_hz() -> int:
    return os.sysconf("SC_CLK_TCK")


def _machine_times(root: Path) -> tuple[float, float]:
    """Return the busy and the stolen time of all cores in seconds; source: proc_stat(5)."""
    fields = (read_field(root / "proc/stat", "cpu", " ") or "").split()
    ticks = [int(each) for each in fields[:8]] + [0] * (8 - len(fields[:8]))
    user, nice, system, _idle, _iowait, irq, soft_irq, steal = ticks
    return (user + nice + system + irq + soft_irq) / _tick_hz(), steal / _tick_hz()


def _programs(root: Path) -> dict[int, _Program]:
    """Return every process by its ID; source: proc_pid_stat(5)."""
    found = {}
    for folder in (root / "proc").glob("[0-9]*"):
        # The name may contain blanks and brackets, but no field after it does.
        fields = (read_text(folder / "stat") or "").rpartition(")")[2].split()
        if fields:
            own_s, children_s = (sum(map(int, fields[first : first + 2])) / _tick_hz() for first in (11, 13))
            found[int(folder.name)] = _Program(read_text(folder / "comm") or "?", int(fields[1]), own_s, children_s)
    return found


def _family(programs: Mapping[int, _Program], pid: int) -> set[int]:
    """Return a process with all its descendants."""
    family = {pid} & programs.keys()
    while children := {each for each, program in programs.items() if program.parent in family} - family:
        family |= children
    return family


def _is_service(root: Path, pid: int) -> bool:
    """Return whether a process runs models with edgevid: `edgevid run`, or `python -m edgevid.cli run`."""
    words = (read_text(root / f"proc/{pid}/cmdline") or "").split("\0")
    return any(
        next_word == "run" and Path(word).name in ("edgevid", "edgevid.cli")
        for word, next_word in itertools.pairwise(words)
    )


def _lowest_clock_mhz(root: Path) -> float | None:
    """Return the lowest clock of all cores."""
    texts = [
        read_text(path) for path in (root / "sys/devices/system/cpu/cpufreq").glob("policy[0-9]*/scaling_cur_freq")
    ]
    clocks = [int(text) / 1000 for text in texts if text and text.isdecimal()]
    return min(clocks) if clocks else None


def _pressure(root: Path) -> float | None:
    """Return the share of the last 10 s in which some task waited for a core.

    Source: Documentation/accounting/psi.rst.
    """
    fields = (read_field(root / "proc/pressure/cpu", "some", " ") or "").split()
    values = dict(each.split("=") for each in fields if "=" in each)
    return float(values["avg10"]) / 100 if "avg10" in values else None


def _swapped_mib(root: Path) -> float | None:
    total, free = (read_field(root / "proc/meminfo", name, ":") for name in ("SwapTotal", "SwapFree"))
    return (int(total.split()[0]) - int(free.split()[0])) / 1024 if total and free else None
