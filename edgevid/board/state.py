"""One look at the board, from the kernel's files and, where the kernel has no file for it, from the firmware's own tool."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevid.board.throttling import NOW, Throttling, parse
from edgevid.telemetry.environment import read_field, read_text

# Source: Documentation/driver-api/thermal/sysfs-api.rst (millidegrees), Documentation/admin-guide/pm/cpufreq.rst (kHz),
# Documentation/hwmon/sysfs-interface.rst (fan1_input in RPM) of the kernel.
_THERMAL, _HWMON, _CPUFREQ = "sys/class/thermal", "sys/class/hwmon", "sys/devices/system/cpu/cpufreq/policy0"
_CPU_ZONES = ("cpu", "soc", "x86_pkg")
# Raspberry Pi's kernel gives the firmware's word in a file (github.com/raspberrypi/linux, pull request 2397); Debian's has hwmon's alarm only
# (Documentation/hwmon/raspberrypi-hwmon.rst).
_FIRMWARE = ("sys/devices/platform/soc/soc:firmware/get_throttled", "sys/devices/platform/*/*firmware/get_throttled")
_VCGENCMD, _VCGENCMD_LIMIT_S = "usr/bin/vcgencmd", 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardState:
    """What the board said at one moment; None for what it does not tell.

    Attributes:
        temperature_c: Of the chip.
        clock_mhz: Of the first core, as the kernel asked for it; the firmware may run it slower.
        clock_max_mhz: The highest that the kernel may ask for.
        governor: Who chooses the clock.
        throttling: The firmware's word on supply and heat.
        fan_rpm: Speed of the fan that a header on the board drives.
        memory_available_mib: Memory that new programs can have.
    """

    temperature_c: float | None
    clock_mhz: int | None
    clock_max_mhz: int | None
    governor: str | None
    throttling: Throttling | None
    fan_rpm: int | None
    memory_available_mib: int | None

    def as_json(self) -> dict[str, object]:
        """Give everything as a JSON object.

        Returns:
            Names with their units.
        """
        told = self.throttling
        return {
            "temperature_c": self.temperature_c,
            "clock_mhz": self.clock_mhz,
            "clock_max_mhz": self.clock_max_mhz,
            "governor": self.governor,
            "throttled_bits": None if told is None else hex(told.bits),
            "throttled_now": None if told is None else list(told.now),
            "throttled_since_start": None if told is None else list(told.happened),
            "throttled_told_by": None if told is None else told.told_by,
            "fan_rpm": self.fan_rpm,
            "memory_available_mib": self.memory_available_mib,
        }


def read_state(root: Path = Path("/"), *, ask_firmware: bool = True) -> BoardState:
    """Look at the board.

    Args:
        root: Where `sys`, `proc` and `usr` lie.
        ask_firmware: Whether `vcgencmd` may be run where no file tells of throttling; it is a process, so not every second.

    Returns:
        What was found.

    Cost: some ten small files, all of them in the kernel's memory; a process where `vcgencmd` is run.
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
    """The zone that is named for the processor, or the first one."""
    zones = sorted(
        (root / _THERMAL).glob("thermal_zone*"),
        key=lambda zone: not (read_text(zone / "type") or "").startswith(_CPU_ZONES),
    )
    millidegrees = _number(zones[0] / "temp") if zones else None
    return None if millidegrees is None else round(millidegrees / 1000, 1)


def _throttling(root: Path, *, ask_firmware: bool) -> Throttling | None:
    for pattern in _FIRMWARE:
        for path in root.glob(pattern):
            if text := read_text(path):
                return parse(text, "firmware")
    if ask_firmware and (told := _ask_vcgencmd(root / _VCGENCMD)):
        return told
    alarm = _number(next(_hwmon(root, "in0_lcrit_alarm", name="rpi_volt"), None))
    return None if alarm is None else Throttling(NOW["under_voltage"] if alarm else 0, "hwmon")


def _ask_vcgencmd(program: Path) -> Throttling | None:
    """Ask the firmware by its tool, which needs /dev/vcio and so the group `video`."""
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
    """A file's one whole number; a sensor that cannot be read gives an error in place of it."""
    try:
        return int(read_text(path) or "") if path else None
    except ValueError:
        return None
