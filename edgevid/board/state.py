"""The state of the board at one moment, from the kernel's files or the firmware's tool."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevid.board.throttling import NOW, Throttling, parse
from edgevid.telemetry.environment import read_field, read_text

# Sources: the kernel's Documentation/driver-api/thermal/sysfs-api.rst (millidegrees),
# Documentation/admin-guide/pm/cpufreq.rst (kHz) and Documentation/hwmon/sysfs-interface.rst
# (fan1_input in RPM).
_THERMAL, _HWMON, _CPUFREQ = "sys/class/thermal", "sys/class/hwmon", "sys/devices/system/cpu/cpufreq/policy0"
_CPU_ZONES = ("cpu", "soc", "x86_pkg")
# Raspberry Pi's kernel has a file with the firmware's bits (github.com/raspberrypi/linux, pull
# request 2397). Debian's kernel has only an alarm in hwmon
# (Documentation/hwmon/raspberrypi-hwmon.rst).
_FIRMWARE = ("sys/devices/platform/soc/soc:firmware/get_throttled", "sys/devices/platform/*/*firmware/get_throttled")
# A firmware that hangs must not hold up the sampler.
_VCGENCMD, _VCGENCMD_LIMIT_S = "usr/bin/vcgencmd", 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardState:
    """The state of the board at one moment; None for each field that it does not report.

    Attributes:
        temperature_c: Temperature of the chip.
        clock_mhz: Clock of the first core as requested by the kernel; it may run slower.
        clock_max_mhz: Highest clock that the kernel may request.
        governor: The kernel's policy for the clock, as "ondemand".
        throttling: The firmware's conditions of supply and heat.
        fan_rpm: Speed of the fan on the board's fan header.
        memory_available_mib: Memory available to new programs.
    """

    temperature_c: float | None
    clock_mhz: int | None
    clock_max_mhz: int | None
    governor: str | None
    throttling: Throttling | None
    fan_rpm: int | None
    memory_available_mib: int | None

    def as_json(self) -> dict[str, object]:
        """Return everything as a JSON object whose keys name their units."""
        throttling = self.throttling
        return {
            "temperature_c": self.temperature_c,
            "clock_mhz": self.clock_mhz,
            "clock_max_mhz": self.clock_max_mhz,
            "governor": self.governor,
            "throttled_bits": None if throttling is None else hex(throttling.bits),
            "throttled_now": None if throttling is None else list(throttling.now),
            "throttled_since_start": None if throttling is None else list(throttling.happened),
            "throttled_told_by": None if throttling is None else throttling.told_by,
            "fan_rpm": self.fan_rpm,
            "memory_available_mib": self.memory_available_mib,
        }


def read_state(root: Path = Path("/"), *, ask_firmware: bool = True) -> BoardState:
    """Read the state of the board.

    Args:
        root: Folder with `sys`, `proc` and `usr`.
        ask_firmware: Whether `vcgencmd` may run if no file reports throttling. It is a process, too
            expensive for every second.

    Cost: about ten small files in the kernel's memory, and a process if `vcgencmd` runs.
    """
    available_kib = read_field(root / "proc/meminfo", "MemAvailable", ":")
    return BoardState(
        temperature_c=_temperature_c(root),
        clock_mhz=_mhz(root, "scaling_cur_freq"),
        clock_max_mhz=_mhz(root, "scaling_max_freq"),
        governor=read_text(root / _CPUFREQ / "scaling_governor"),
        throttling=_throttling(root, ask_firmware=ask_firmware),
        fan_rpm=_number(next(_hwmon(root, "fan1_input"), None)),
        memory_available_mib=int(available_kib.split()[0]) // 1024 if available_kib else None,
    )


def _temperature_c(root: Path) -> float | None:
    """Return the temperature of the processor's zone, or of the first zone."""
    zones = sorted(
        (root / _THERMAL).glob("thermal_zone*"),
        key=lambda zone: not (read_text(zone / "type") or "").startswith(_CPU_ZONES),
    )
    millidegrees = _number(zones[0] / "temp") if zones else None
    return None if millidegrees is None else round(millidegrees / 1000, 1)


def _throttling(root: Path, *, ask_firmware: bool) -> Throttling | None:
    # From the most complete and cheapest source to the least: a file with all bits, a process, an
    # alarm for voltage.
    for pattern in _FIRMWARE:
        for path in root.glob(pattern):
            if text := read_text(path):
                return parse(text, "firmware")
    if ask_firmware and (reading := _ask_vcgencmd(root / _VCGENCMD)):
        return reading
    alarm = _number(next(_hwmon(root, "in0_lcrit_alarm", name="rpi_volt"), None))
    return None if alarm is None else Throttling(NOW["under_voltage"] if alarm else 0, "hwmon")


def _ask_vcgencmd(program: Path) -> Throttling | None:
    """Ask the firmware's tool, which needs access to /dev/vcio and so the group `video`."""
    try:
        done = subprocess.run(
            [program, "get_throttled"], capture_output=True, text=True, timeout=_VCGENCMD_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout, "vcgencmd") if done.returncode == 0 else None


def _hwmon(root: Path, file: str, *, name: str | None = None) -> Iterator[Path]:
    for sensor in sorted((root / _HWMON).glob("hwmon*")):
        if (sensor / file).exists() and (name is None or read_text(sensor / "name") == name):
            yield sensor / file


def _mhz(root: Path, file: str) -> int | None:
    khz = _number(root / _CPUFREQ / file)
    return None if khz is None else khz // 1000


def _number(path: Path | None) -> int | None:
    """Return the integer in a file; None if the sensor cannot be read."""
    try:
        return int(read_text(path) or "") if path else None
    except ValueError:
        return None
