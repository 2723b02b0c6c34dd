"""Checks of the board: what it is, its supply, heat, clock rate, memory, disk and time."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edgevid.board import BoardState, identify
from edgevid.board.throttling import describe
from edgevid.doctor.finding import Finding, ok
from edgevid.doctor.machine import Host
from edgevid.telemetry.environment import read_text

_LOW_MEMORY_MIB, _NO_MEMORY_MIB = 200, 80
_LOW_DISK_MIB, _NO_DISK_MIB = 500, 100
_NEAR_C = 10
_NOT_BEFORE = 2025  # edgevid's own first year: an earlier clock was never set


def board(machine: Host) -> Finding:
    """Say which board this is.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    model = read_text(machine.root / "proc/device-tree/model")
    known = identify(machine.root)
    if known:
        return ok("board", f"{model}: {known.soc}, {known.cores} x {known.cpu}")
    return ok("board", f"{model or 'no board model'}: edgevid has no facts about it")


def temperature(machine: Host, state: BoardState) -> Finding:
    """Compare the chip's heat with the board's limits.

    Args:
        machine: Gives the board.
        state: A look at it.

    Returns:
        What was found.
    """
    if state.temperature_c is None:
        return Finding(check="temperature", status="unknown", found="not told", mend="vcgencmd measure_temp")
    known = identify(machine.root)
    throttle_c = known.throttle_c if known else 80
    fan = "" if state.fan_rpm is None else f", fan {state.fan_rpm} RPM"
    found = f"{state.temperature_c} °C{fan}; the cores are throttled from {throttle_c} °C on"
    mend = "no command cools a board: fit a heat sink or a fan, give it air, then watch: vcgencmd measure_temp"
    if state.temperature_c >= throttle_c:
        return Finding(check="temperature", status="fault", found=found, mend=mend)
    if state.temperature_c >= throttle_c - _NEAR_C:
        return Finding(check="temperature", status="warning", found=found, mend=mend)
    return ok("temperature", found)


def throttling(machine: Host, state: BoardState) -> Finding:
    """Read what the firmware says of supply and heat, now and since the start.

    Args:
        machine: Gives the user's name.
        state: A look at the board.

    Returns:
        What was found.
    """
    told = state.throttling
    if told is None:
        mend = "vcgencmd get_throttled   # on Raspberry Pi OS; other systems do not tell"
        return Finding(check="throttling", status="unknown", found="not told", mend=mend)
    weak = "under_voltage" in (*told.now, *told.happened)
    mend = (
        "use the board's own power supply and no long or thin cable; no command does; then start the history anew: sudo reboot"
        if weak
        else "cool the board; then start the history anew: sudo reboot"
    )
    if {"under_voltage", "throttled"} & set(told.now):
        return Finding(check="throttling", status="fault", found=f"now: {describe(told.now)}", mend=mend)
    if told.now or told.happened:
        found = f"now: {describe(told.now)}; since the board's start: {describe(told.happened)}"
        return Finding(check="throttling", status="warning", found=found, mend=mend)
    return ok(
        "throttling",
        f"neither now nor since the board's start (told by {told.told_by})"
        if told.told_by != "hwmon"
        else "supply in order now",
    )


def governor(machine: Host, state: BoardState) -> Finding:
    """See whether something holds the clock down.

    Args:
        machine: Not looked at.
        state: A look at the board.

    Returns:
        What was found.
    """
    if state.governor is None:
        return ok("governor", "the clock is not the kernel's to choose")
    found = f"{state.governor}, {state.clock_mhz} of {state.clock_max_mhz} MHz"
    if state.governor == "powersave":
        mend = "echo ondemand | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
        return Finding(check="governor", status="warning", found=f"{found}: the lowest clock always", mend=mend)
    return ok("governor", found)


def memory(machine: Host, state: BoardState) -> Finding:
    """See whether there is memory for a classifier.

    Args:
        machine: Not looked at.
        state: A look at the board.

    Returns:
        What was found.
    """
    available = state.memory_available_mib
    if available is None:
        return Finding(check="memory", status="unknown", found="not told", mend="free -m")
    mend = "sudo systemctl set-default multi-user.target && sudo reboot   # starts without a desktop; back: graphical.target"
    if available < _LOW_MEMORY_MIB:
        return Finding(
            check="memory",
            status="fault" if available < _NO_MEMORY_MIB else "warning",
            found=f"{available} MiB available",
            mend=mend,
        )
    return ok("memory", f"{available} MiB available")


def disk(machine: Host) -> Finding:
    """See whether there is room, and whether it can be written.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    if _root_is_read_only(machine.root):
        mend = "sudo mount -o remount,rw /   # unless it is meant to be"
        return Finding(check="disk", status="warning", found="the root file system is mounted read-only", mend=mend)
    found = f"{machine.free_mib} MiB free"
    if machine.free_mib < _LOW_DISK_MIB:
        mend = "sudo apt-get clean && sudo journalctl --vacuum-size=50M"
        return Finding(
            check="disk", status="fault" if machine.free_mib < _NO_DISK_MIB else "warning", found=found, mend=mend
        )
    return ok("disk", found)


def clock(machine: Host) -> Finding:
    """See whether the time of day is right: events carry it to brokers and clips, and certificates are checked by it.

    Args:
        machine: See `Host`.

    Returns:
        What was found.
    """
    mend = "sudo timedatectl set-ntp true && timedatectl status"
    if machine.year < _NOT_BEFORE:
        return Finding(check="clock", status="fault", found=f"the year is {machine.year}", mend=mend)
    synced = _synchronized(machine.root)
    if synced is None:
        return Finding(
            check="clock", status="unknown", found="nothing tells whether it is synchronised", mend="timedatectl status"
        )
    if not synced:
        return Finding(check="clock", status="warning", found="not synchronised", mend=mend)
    return ok("clock", "synchronised")


def _synchronized(root: Path) -> bool | None:
    """Source: systemd-timesyncd.service(8), FILES; timedatectl(1), `show` and NTPSynchronized, which knows other clients as well."""
    if (root / "run/systemd/timesync/synchronized").exists():
        return True
    try:
        command = [str(root / "usr/bin/timedatectl"), "show", "--property=NTPSynchronized", "--value"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(said)


def _root_is_read_only(root: Path) -> bool:
    for line in (read_text(root / "proc/mounts") or "").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[1] == "/":
            return "ro" in fields[3].split(",")
    return False
