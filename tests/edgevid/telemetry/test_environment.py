"""Facts of a machine, read from files that the test writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevid.telemetry.environment import machine, rss_mib, versions


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_raspberry_pi_is_named_with_its_board_core_and_clock(tmp_path: Path) -> None:
    write(tmp_path, "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    write(tmp_path, "proc/cpuinfo", "processor\t: 0\nCPU part\t: 0xd0b\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n")
    write(tmp_path, "proc/meminfo", "MemTotal:        8255296 kB\nMemFree: 1 kB\n")
    write(tmp_path, "etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    write(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n")
    write(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n")
    found = machine(tmp_path)
    assert (found.board, found.cpu) == ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76")
    assert (found.governor, found.clock_mhz, found.ram_mib) == ("ondemand", 2400, 8061)
    assert found.os == "Debian GNU/Linux 12 (bookworm)"
    assert found.cores >= 1


@pytest.mark.parametrize(
    ("cpuinfo", "cpu"),
    [("model name : Some CPU @ 2.50GHz\n", "Some CPU @ 2.50GHz"), ("CPU part : 0xabc\n", "Arm part 0xabc"), ("", None)],
    ids=["named", "unknown number", "silent"],
)
def test_a_processor_is_named_as_well_as_the_kernel_allows(tmp_path: Path, cpuinfo: str, cpu: str | None) -> None:
    write(tmp_path, "proc/cpuinfo", cpuinfo)
    assert machine(tmp_path).cpu == cpu


def test_what_a_machine_does_not_tell_is_none(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert (found.board, found.cpu, found.governor, found.clock_mhz, found.ram_mib) == (None,) * 5
    assert found.os


def test_resident_memory_is_in_mebibytes(tmp_path: Path) -> None:
    write(tmp_path, "status", "Name:\tpython\nVmRSS:\t   51200 kB\n")
    assert rss_mib(tmp_path / "status") == 50.0
    assert rss_mib(tmp_path / "absent") is None


def test_versions_name_python_and_numpy() -> None:
    assert {"python", "edgevid", "numpy"} <= set(versions())
