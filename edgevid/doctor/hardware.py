"""Checks of the board: model, temperature, supply, clock rate, memory, disk and time."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgevid.board import BoardState, identify
from edgevid.board.throttling import describe
from edgevid.doctor.finding import Finding, Status, ok
from edgevid.doctor.machine import Host
from edgevid.telemetry.environment import read_text

# A warning below the first number, a fault below the second.
_LOW_MEMORY_MIB, _NO_MEMORY_MIB = 200, 80
_LOW_DISK_MIB, _NO_DISK_MIB = 500, 100
# A board this close to throttling gets there in a closed case or on a warmer day.
_NEAR_C = 10
# The limit of every Raspberry Pi in `firmware_configs/boards`, assumed for unknown boards.
_THROTTLE_C = 80
_NOT_BEFORE = 2025  # edgevid's first year: an earlier clock was never set


def board(host: Host) -> Finding:
    """Name the board."""
    model = read_text(host.root / "proc/device-tree/model")
    known = identify(host.root)
    if known:
        return ok("board", f"{model}: {known.soc}, {known.cores} x {known.cpu}")
    return ok("board", f"{model or 'no board model'}: unknown to edgevid")


def temperature(host: Host, state: BoardState) -> Finding:
    """Compare the chip's temperature with the board's limit."""
    if state.temperature_c is None:
        return Finding(check="temperature", status="unknown", found="not reported", mend="vcgencmd measure_temp")
    known = identify(host.root)
    throttle_c = known.throttle_c if known else _THROTTLE_C
    fan = "" if state.fan_rpm is None else f", fan {state.fan_rpm} RPM"
    found = f"{state.temperature_c} °C{fan}; the cores throttle at {throttle_c} °C"
    mend = "fit a heat sink or a fan and let air reach the board, then watch: vcgencmd measure_temp"
    if state.temperature_c >= throttle_c:
        return Finding(check="temperature", status="fault", found=found, mend=mend)
    if state.temperature_c >= throttle_c - _NEAR_C:
        return Finding(check="temperature", status="warning", found=found, mend=mend)
    return ok("temperature", found)


def throttling(state: BoardState) -> Finding:
    """Check the firmware's conditions of supply and heat, now and since the board's start."""
    reading = state.throttling
    if reading is None:
        mend = "vcgencmd get_throttled   # on Raspberry Pi OS; other systems do not report it"
        return Finding(check="throttling", status="unknown", found="not reported", mend=mend)
    # Only a start of the board clears the history bits.
    mend = (
        "use the board's own power supply and a short, thick cable, then clear the history: sudo reboot"
        if "under_voltage" in (*reading.now, *reading.happened)
        else "cool the board, then clear the history: sudo reboot"
    )
    if {"under_voltage", "throttled"} & set(reading.now):
        return Finding(check="throttling", status="fault", found=f"now: {describe(reading.now)}", mend=mend)
    if reading.now or reading.happened:
        found = f"now: {describe(reading.now)}; since the board's start: {describe(reading.happened)}"
        return Finding(check="throttling", status="warning", found=found, mend=mend)
    # The alarm in hwmon has no history and reports under-voltage only.
    if reading.told_by == "hwmon":
        return ok("throttling", "no under-voltage now (reported by hwmon)")
    return ok("throttling", f"neither now nor since the board's start (reported by {reading.told_by})")


def governor(state: BoardState) -> Finding:
    """Check that no policy holds the clock down."""
    if state.governor is None:
        return ok("governor", "the kernel does not control the clock")
    found = f"{state.governor}, {state.clock_mhz} of {state.clock_max_mhz} MHz"
    if state.governor == "powersave":
        mend = "echo ondemand | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
        return Finding(check="governor", status="warning", found=f"{found}: always the lowest clock", mend=mend)
    return ok("governor", found)


def memory(state: BoardState) -> Finding:
    """Check the memory available to a classifier."""
    available = state.memory_available_mib
    if available is None:
        return Finding(check="memory", status="unknown", found="not reported", mend="free -m")
    found = f"{available} MiB available"
    if available < _LOW_MEMORY_MIB:
        mend = (
            "sudo systemctl set-default multi-user.target && sudo reboot   "
            "# starts without a desktop; undo with graphical.target"
        )
        status: Status = "fault" if available < _NO_MEMORY_MIB else "warning"
        return Finding(check="memory", status=status, found=found, mend=mend)
    return ok("memory", found)


def disk(host: Host) -> Finding:
    """Check that the disk is writable and has free space."""
    if _root_is_read_only(host.root):
        mend = "sudo mount -o remount,rw /   # unless it is meant to be read-only"
        return Finding(check="disk", status="warning", found="the root file system is mounted read-only", mend=mend)
    found = f"{host.free_mib} MiB free"
    if host.free_mib < _LOW_DISK_MIB:
        mend = "sudo apt-get clean && sudo journalctl --vacuum-size=50M"
        status: Status = "fault" if host.free_mib < _NO_DISK_MIB else "warning"
        return Finding(check="disk", status=status, found=found, mend=mend)
    return ok("disk", found)


def clock(host: Host) -> Finding:
    """Check the time of day: events carry it, and certificates are checked against it."""
    mend = "sudo timedatectl set-ntp true && timedatectl status"
    if host.year < _NOT_BEFORE:
        return Finding(check="clock", status="fault", found=f"the year is {host.year}", mend=mend)
    synced = _synchronized(host.root)
    if synced is None:
        return Finding(
            check="clock", status="unknown", found="synchronisation is not reported", mend="timedatectl status"
        )
    if not synced:
        return Finding(check="clock", status="warning", found="not synchronised", mend=mend)
    return ok("clock", "synchronised")


def _synchronized(root: Path) -> bool | None:
    # Source: systemd-timesyncd.service(8), FILES.
    if (root / "run/systemd/timesync/synchronized").exists():
        return True
    # Another client than timesyncd leaves no such file. Source: timedatectl(1), `show` and
    # NTPSynchronized.
    try:
        command = [str(root / "usr/bin/timedatectl"), "show", "--property=NTPSynchronized", "--value"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer)


def _root_is_read_only(root: Path) -> bool:
    # Fields of /proc/mounts: device, mount point, type, options.
    for line in (read_text(root / "proc/mounts") or "").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[1] == "/":
            return "ro" in fields[3].split(",")
    return False
