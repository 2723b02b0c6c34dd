"""Energy of a measurement, from the board's own sensor or from a meter."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgevid.bench.figures import Energy
from edgevid.errors import UsageError
from edgevid.telemetry.environment import read_text

_READ_HZ = 2.0
_VCGENCMD, _VCGENCMD_LIMIT_S = "usr/bin/vcgencmd", 2.0
# One line of `vcgencmd pmic_read_adc`, such as "3V3_SYS_A current(1)=0.07221960A".
_PMIC = re.compile(r"(?P<rail>\w+)_(?P<kind>[AV]) (?:current|volt)\(\d+\)=(?P<value>[0-9.]+)[AV]")
POWER_HELP = "pmic for the Raspberry Pi 5, hwmon:NAME for a sensor of the kernel, csv:FILE for a meter's log"
# Sources: github.com/jfikar/RPi5-power on what the regulator's readings leave out;
# Documentation/hwmon/sysfs-interface.rst.
_SEES = {
    "pmic": "the board's own rails; not USB, HATs, nor the loss of the supply",
    "hwmon": "what the sensor's shunt carries",
    "csv": "what the meter is plugged into",
}


@dataclass
class Meter:
    """Readings of power over time.

    Args:
        kind: "pmic", "hwmon" or "csv".
        read: Returns the power now in watts; None for a log that is read at the end.
        log: The log of a meter; None for a sensor.
        idle_s: Length of each idle time.
    """

    kind: str
    read: Callable[[], float] | None
    log: Path | None
    idle_s: float
    readings: list[tuple[float, float]] = field(default_factory=list)
    _idle: list[tuple[float, float]] = field(default_factory=list)
    _measured: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    _done: threading.Event = field(default_factory=threading.Event)
    _problem: str = ""

    def measured(self, subject: int, took_s: float) -> None:
        """Note that a measurement of a length ended now.

        Args:
            subject: Number of what was measured.
            took_s: The length.
        """
        now_s = time.time()
        self._measured.setdefault(subject, []).append((now_s - took_s, now_s))

    def rest(self) -> None:
        """Stay idle for the idle time."""
        began_s = time.time()
        time.sleep(self.idle_s)
        self._idle.append((began_s, time.time()))

    def energy(self, subject: int, answers: int) -> Energy:
        """Return the energy of a subject's answers.

        Args:
            subject: As for `measured`.
            answers: Their number.

        Raises:
            UsageError: The sensor stopped, or the log covers none of the times.
        """
        if self.log is not None:
            self.readings = list(_logged(self.log))
        idle_w = tuple(self._mean_w([span]) for span in self._idle)
        spans = self._measured.get(subject, [])
        mean_w = self._mean_w(spans)
        took_s = sum(end - begin for begin, end in spans)
        times = [t_s for t_s, _ in self.readings]
        hz = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0
        return Energy(
            sensor=self.kind,
            sees=_SEES[self.kind],
            hz=round(hz, 2),
            idle_w=tuple(round(each, 4) for each in idle_w),
            mean_w=round(mean_w, 4),
            j_per_answer=mean_w * took_s / max(1, answers),
            j_per_answer_above_idle=(mean_w - sum(idle_w) / len(idle_w)) * took_s / max(1, answers),
            idle_s=self.idle_s,
        )

    def _mean_w(self, spans: list[tuple[float, float]]) -> float:
        values = [w for t_s, w in self.readings if any(begin <= t_s <= end for begin, end in spans)]
        if not values:
            raise UsageError(
                expected=f"readings of {self.kind} while idle and while measuring",
                found=self._problem or "none in that time",
                hint="Its times must be seconds since 1970.",
            )
        return float(np.mean(values))

    def sample(self) -> None:
        """Read the sensor until the meter is closed."""
        while self.read is not None and not self._done.wait(1 / _READ_HZ):
            try:
                self.readings.append((time.time(), self.read()))
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                self._problem = str(error)
                return

    def close(self) -> None:
        """Stop reading."""
        self._done.set()


@contextmanager
def open_meter(sensor: str, idle_s: float, *, root: Path = Path("/")) -> Iterator[Meter]:
    """Measure power while the block runs, and idleness before and after it.

    Args:
        sensor: As `POWER_HELP` says.
        idle_s: Length of each idle time.
        root: Folder with `sys` and `usr`.

    Raises:
        UsageError: There is no such sensor.
    """
    kind, _, rest = sensor.partition(":")
    meter = Meter(kind, _reader(kind, rest, root), Path(rest) if kind == "csv" else None, idle_s)
    thread = threading.Thread(target=meter.sample, name="edgevid-power", daemon=True)
    thread.start()
    try:
        meter.rest()
        yield meter
        meter.rest()
    finally:
        meter.close()
        thread.join()


def _reader(kind: str, rest: str, root: Path) -> Callable[[], float] | None:
    if kind == "pmic":
        program = root / _VCGENCMD
        if not program.exists():
            raise UsageError(expected="vcgencmd for --power pmic", found=f"none at {program}")
        return lambda: pmic_w(_ask(program))
    if kind == "hwmon":
        folder = _hwmon(rest, root)
        return lambda: _hwmon_w(folder)
    if kind == "csv" and Path(rest).is_file():
        # Wrong columns shall be found now, not after the measurement.
        list(_logged(Path(rest)))
        return None
    raise UsageError(expected="a sensor of power that is there", got=f"{kind}:{rest}", hint=f"Use {POWER_HELP}.")


def _ask(program: Path) -> str:
    done = subprocess.run(
        [program, "pmic_read_adc"], capture_output=True, text=True, timeout=_VCGENCMD_LIMIT_S, check=False
    )
    return done.stdout


def pmic_w(text: str) -> float:
    """Return the power of all rails for which the regulator reports both current and voltage.

    Args:
        text: What `vcgencmd pmic_read_adc` prints.

    Raises:
        ValueError: It holds no such rail.
    """
    rails: dict[str, dict[str, float]] = {}
    for found in _PMIC.finditer(text):
        rails.setdefault(found["rail"], {})[found["kind"]] = float(found["value"])
    powers = [rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2]
    if not powers:
        raise ValueError(f"no rail with current and voltage in {text[:60]!r}")
    return sum(powers)


def _hwmon(name: str, root: Path) -> Path:
    folders = sorted((root / "sys/class/hwmon").glob("hwmon*"))
    found = next((each for each in folders if read_text(each / "name") == name), None)
    if found is None:
        names = sorted({text for each in folders if (text := read_text(each / "name"))})
        raise UsageError(expected="a sensor of the kernel", choices=names, got=name)
    return found


def _hwmon_w(folder: Path) -> float:
    """Return the power in watts from microwatts, or from millivolts and milliamperes."""
    if (power := read_text(folder / "power1_input")) is not None:
        return int(power) / 1e6
    volts, amperes = read_text(folder / "in1_input"), read_text(folder / "curr1_input")
    if volts is None or amperes is None:
        raise ValueError(f"{folder} has neither power1_input nor in1_input and curr1_input")
    return int(volts) / 1e3 * int(amperes) / 1e3


def _logged(path: Path) -> Iterator[tuple[float, float]]:
    """Yield time and power of a meter's log with the columns time_s and power_w."""
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        reader = csv.DictReader(handle)
        if not {"time_s", "power_w"} <= set(reader.fieldnames or ()):
            raise UsageError(expected=f"columns time_s and power_w in {path}", found="others", path=path)
        for line in reader:
            reading = _finite(line["time_s"]), _finite(line["power_w"])
            if None in reading:
                raise UsageError(
                    expected=f"numbers in line {reader.line_num} of {path}", found=str(list(line.values())), path=path
                )
            yield reading[0] or 0.0, reading[1] or 0.0


def _finite(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
