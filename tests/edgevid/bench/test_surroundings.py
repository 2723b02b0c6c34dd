"""The surroundings: another program, a throttled board, clocks and heat are seen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from edgevid.bench.measuring.machine import measured_machine
from edgevid.bench.measuring.surroundings import NOT_MEASURING, SurroundingsSampler
from tests.boards import PI_4B, PI_5

BUSY = "import time\nwhile True: pass"


def test_another_program_shows_as_foreign_and_by_its_name() -> None:
    # In the background of a shell that ends: its time is nobody's of ours.
    command = f"{sys.executable} -c '{BUSY}' >/dev/null 2>&1 & echo $!"
    pid = int(subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True).stdout)
    try:
        with SurroundingsSampler(interval_s=0.5) as sampler:
            time.sleep(2.2)
        found = sampler.surroundings()
    finally:
        os.kill(pid, 9)
    assert max(found.series.foreign_cores) > 0.2
    assert any(name.startswith("python") for name in found.programs)


def test_children_are_not_foreign_and_their_samples_are_marked() -> None:
    # A grandchild too: workers start programs of their own.
    command = ["sh", "-c", f"{sys.executable} -c '{BUSY}'; true"]
    with SurroundingsSampler(interval_s=0.5) as sampler, sampler.measuring(3), subprocess.Popen(command) as process:
        own, until = sampler._times.ours_s, time.monotonic() + 60
        # A crowded machine gives it little time, but some.
        while sampler._times.ours_s - own <= 0.2 and time.monotonic() < until:
            time.sleep(0.5)
        grown = sampler._times.ours_s - own
        subprocess.run(["pkill", "-9", "-P", str(process.pid)], check=True)
    assert grown > 0.2
    measuring = sampler.surroundings().series.measuring
    assert 3 in measuring
    assert (measuring[0], measuring[-1]) == (NOT_MEASURING, NOT_MEASURING)


def test_a_throttled_board_is_seen_even_between_two_looks(tmp_path: Path) -> None:
    root = PI_4B.but(throttled=0x40000).plant(tmp_path / "root")
    with SurroundingsSampler(root, interval_s=60) as sampler:
        assert sampler.surroundings().throttled_during == ()
        # Under-voltage came and went: only its history bit is new.
        PI_4B.but(throttled=0x50000, celsius=70.0).plant(root)
    found = sampler.surroundings()
    assert found.throttled_during == ("under_voltage",)
    assert found.series.temperature_c[-1] == 70.0
    assert found.series.clock_mhz


def test_seconds_of_throttling_are_counted(tmp_path: Path) -> None:
    root = PI_4B.but(throttled=0x40004).plant(tmp_path / "root")
    with SurroundingsSampler(root, interval_s=0.2) as sampler:
        time.sleep(0.5)
    found = sampler.surroundings()
    assert found.throttled_during == ("throttled",)
    assert found.throttled_s >= 0.4


def test_a_board_is_described(tmp_path: Path) -> None:
    root = PI_5.plant(tmp_path / "root")
    machine = measured_machine(root)
    assert machine.board is not None and machine.board.startswith("Raspberry Pi 5")
    assert (machine.cpu, machine.governor, machine.clock_max_mhz) == ("Cortex-A76", "ondemand", 2400)
    assert machine.virtual == ""


def test_an_emulated_machine_is_seen_by_its_processor_and_its_board(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "proc/cpuinfo"
    cpuinfo.parent.mkdir(parents=True)
    cpuinfo.write_text("model name\t: QEMU Virtual CPU version 2.5+\n")
    assert measured_machine(tmp_path).is_emulated
    cpuinfo.write_text("CPU architecture: 8\n")
    tree = tmp_path / "proc/device-tree"
    tree.mkdir()
    (tree / "model").write_text("linux,dummy-virt\0")
    assert measured_machine(tmp_path).is_emulated


def test_another_edgevid_that_runs_a_model_is_seen() -> None:
    # As the service starts it: the words of its command line are what counts. In the background, since a child of
    # this process is its own.
    words = f"{sys.executable} -c 'import time; time.sleep(60)' -m edgevid.cli run a.edgevid"
    pid = int(
        subprocess.run(["sh", "-c", f"{words} >/dev/null 2>&1 & echo $!"], capture_output=True, check=True).stdout
    )
    try:
        with SurroundingsSampler(interval_s=0.2) as sampler:
            pass
        services = sampler.surroundings().services
    finally:
        os.kill(pid, 9)
    assert any(str(pid) in service for service in services)


def test_the_time_of_children_that_have_ended_stays_ours() -> None:
    with SurroundingsSampler(interval_s=60) as sampler:
        before = sampler._read_times().ours_s
        subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)
        assert sampler._read_times().ours_s - before > 0.1
