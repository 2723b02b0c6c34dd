"""Facts of a machine, read from files that the test writes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgevid.telemetry import environment
from edgevid.telemetry.environment import (
    OPENCV_RELEASE,
    machine,
    opencv_difference,
    opencv_release,
    rss_mib,
    versions,
)


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


def test_the_release_of_opencv_is_that_of_any_of_its_packages() -> None:
    assert opencv_release({"opencv-python-headless": "4.10.0.84"}) == "4.10"
    assert opencv_release({"opencv-contrib-python": "5.0.0.93", "numpy": "2.0"}) == "5.0"
    assert opencv_release({"numpy": "2.0"}) is None


@pytest.mark.parametrize(
    ("imported", "made", "expected"),
    [
        ("4.10.0", "4.10.0.84", None),
        ("4.10.0", "5.0.0.93", "Expected OpenCV 5.0, which made the bundle, got 4.10"),
        ("5.0.0", "4.10.0.84", "Run: pip install 'opencv-python-headless==4.10.*'."),
        ("4.12.0", "4.10.0.84", "got 4.12"),
    ],
)
def test_opencv_of_another_release_than_the_bundles_is_described(
    monkeypatch: pytest.MonkeyPatch, imported: str, made: str, expected: str | None
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__=imported))
    difference = opencv_difference({"opencv-python-headless": made})
    assert difference is None if expected is None else expected in str(difference)
    assert opencv_difference({"numpy": "2.0"}) is None


def test_opencv_that_is_not_imported_is_known_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(environment, "versions", lambda: {"opencv-python-headless": f"{OPENCV_RELEASE}.0.84"})
    assert "got 4.10" in str(opencv_difference({"opencv-python": "4.6.0.66"}))
