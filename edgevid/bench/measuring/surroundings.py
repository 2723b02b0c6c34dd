"""What else goes on during a benchmark: heat, clocks, throttling, other programs; once a second."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
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
# `vcgencmd` is a process: run it for every fifth look.
_LOOKS_PER_PROCESS = 5


@dataclass(slots=True)
class _Times:
    """Processor time since the machine's start, in seconds: of all cores, of a hypervisor, of our processes."""

    at_ns: int = 0
    busy_s: float = 0.0
    steal_s: float = 0.0
    ours_s: float = 0.0


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
    """Looks at the machine once a second in a thread.

        with SurroundingsSampler() as sampler:
            sampler.measuring(0, pid)

    Args:
        root: Folder with `sys`, `proc` and `usr`.
        interval_s: Time between two looks.
    """

    def __init__(self, root: Path = Path("/"), *, interval_s: float = INTERVAL_S) -> None:
        self._root, self._interval_s = root, interval_s
        self._lists, self._looks = _Lists(), 0
        self._process, self._own = NOT_MEASURING, {os.getpid()}
        self._bits: int | None = None
        self._bits_at_start = 0
        self._began_ns = monotonic_ns()
        self._times = _Times()
        self._programs_before: dict[int, tuple[str, float]] = {}
        self._services: set[str] = set()
        self._turns = Turns("surroundings")
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def measuring(self, process: int, pid: int | None) -> None:
        """Say which process measures now.

        Args:
            process: Its number; `NOT_MEASURING` between two.
            pid: Its process ID, whose processor time is not foreign; None between two.
        """
        self._process = process
        # A process that has ended is in its parent's times, and its ID may be given to another.
        self._own = {os.getpid()} if pid is None else {os.getpid(), pid}

    @contextmanager
    def at(self, process: int) -> Iterator[Callable[[int], None]]:
        """Say which process measures while the block runs.

        Args:
            process: Its number.

        Yields:
            What to call with its process ID.
        """
        try:
            yield lambda pid: self.measuring(process, pid)
        finally:
            self.measuring(NOT_MEASURING, None)

    def __enter__(self) -> Self:
        """Take the first look and start."""
        self._began_ns = monotonic_ns()
        self._programs_before = dict(_programs(self._root))
        self._look()
        self._thread = threading.Thread(target=self._run, name="edgevid-surroundings", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop and take a last look."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        # The last look asks the firmware's tool, so that the history bits are fresh.
        self._looks = 0
        self._turns.attempt(self._look)

    def surroundings(self) -> figures.Surroundings:
        """Return what was seen until now."""
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
        state = read_state(self._root, ask_firmware=self._looks % _LOOKS_PER_PROCESS == 0)
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
        # A condition may come and go between two looks: then only its history bit is new.
        new = (bits & ~self._bits_at_start) >> HISTORY_SHIFT & _NOW_BITS
        self._bits |= bits & _NOW_BITS | new
        self._lists.throttled.append(bits & _NOW_BITS)

    def _read_times(self) -> _Times:
        busy_s, steal_s = _machine_times(self._root)
        me = os.getpid()
        # A child that ended is in its parent's sum of children.
        ours_s = sum(_process_times(self._root, pid) for pid in {me, *self._own, *_descendants(self._root, me)})
        return _Times(monotonic_ns(), busy_s, steal_s, ours_s)

    def _foreign_programs(self, took_s: float) -> dict[str, float]:
        """Return the other programs that used more than a share of a core, the busiest first."""
        shares: dict[str, float] = {}
        own = {*self._own, *_descendants(self._root, os.getpid())}
        for pid, (name, used_s) in _programs(self._root):
            before = self._programs_before.get(pid, (name, 0.0))[1]
            if pid not in own and (used_s - before) / took_s > FOREIGN_SHARE:
                shares[name] = round(shares.get(name, 0.0) + (used_s - before) / took_s, 3)
            if pid not in own and _is_service(self._root, pid):
                self._services.add(f"{name} ({pid})")
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


def _process_times(root: Path, pid: int) -> float:
    """Return the time of a process and of its ended children in seconds; source: proc_pid_stat(5)."""
    fields = _stat(root, pid)
    return sum(map(int, fields[11:15])) / _tick_hz() if fields else 0.0


def _descendants(root: Path, pid: int) -> set[int]:
    """Return the processes that a process started, and those that they started.

    Source: proc_pid_task(5), `children`; empty where the kernel was built without it.
    """
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for task in (root / f"proc/{waiting.pop()}/task").glob("[0-9]*/children"):
            new = {int(each) for each in (read_text(task) or "").split()} - found
            found |= new
            waiting += new
    return found


def _stat(root: Path, pid: int) -> list[str]:
    """Return the fields of a process from the third on; empty if it is gone."""
    # The name may hold blanks and brackets, but no field after it does.
    return (read_text(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()


def _programs(root: Path) -> Iterable[tuple[int, tuple[str, float]]]:
    """Yield the ID, name and processor time in seconds of each process."""
    for folder in (root / "proc").glob("[0-9]*"):
        pid = int(folder.name)
        fields = _stat(root, pid)
        if fields:
            yield pid, (read_text(folder / "comm") or "?", sum(map(int, fields[11:13])) / _tick_hz())


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
