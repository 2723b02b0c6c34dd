"""Each fault, planted in a tree of files, with its remedy; and a healthy machine without findings."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevid import cli
from edgevid.doctor import Account, Finding, Host, examine, machine
from edgevid.doctor.machine import current_host
from tests.boards import PI_3B_PLUS, PI_4B, PI_5, TREES, Tree

VIDEO = 44


def plant(
    root: Path,
    tree: Tree = PI_4B,
    *,
    cameras: tuple[str, ...] = ("HD Pro Webcam C920", "HD Pro Webcam C920", "bcm2835-codec-decode"),
) -> Host:
    """A healthy board with a USB camera, whose user is in the group that owns it."""
    tree.plant(root)
    for number, name in enumerate(cameras):
        node, about = root / f"dev/video{number}", root / f"sys/class/video4linux/video{number}/name"
        for path, text in ((node, ""), (about, f"{name}\n")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        node.chmod(0o660)
    (root / "run/systemd/timesync").mkdir(parents=True, exist_ok=True)
    (root / "run/systemd/timesync/synchronized").touch()
    (root / "proc/mounts").write_text("/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n")
    owned = os.stat(root / "dev/video0").st_gid if cameras else VIDEO  # noqa: PTH116
    return Host(
        root=root,
        user=Account(name="pi", uid=-1, gids=frozenset({owned})),
        python=(3, 11, 2),
        pointer_bits=64,
        arch="aarch64",
        packages={"ai-edge-litert": "2.3.0", "numpy": "2.4.6", "opencv-python-headless": "4.10.0.84"},
        loads=lambda _library: False,
        free_mib=9000,
        year=2026,
    )


def look(machine: Host, check: str) -> Finding:
    (found,) = [finding for finding in examine(machine) if finding.check == check]
    return found


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_healthy_board_has_nothing_to_mend(tmp_path: Path, tree: Tree) -> None:
    findings = examine(plant(tmp_path, tree))
    assert [(finding.check, finding.found) for finding in findings if finding.status != "ok"] == []
    assert not any(finding.mend for finding in findings)
    assert len({finding.check for finding in findings}) == len(findings) == 13


def test_a_healthy_board_is_described(tmp_path: Path) -> None:
    machine = plant(tmp_path, PI_5)
    assert look(machine, "board").found == "Raspberry Pi 5 Model B Rev 1.0: BCM2712, 4 x Cortex-A76"
    assert look(machine, "temperature").found == "61.7 °C, fan 2870 RPM; the cores throttle at 80 °C"
    assert look(machine, "cameras").found == "HD Pro Webcam C920 (/dev/video0)"
    assert look(machine, "permissions").found == "pi may open the device"
    assert look(machine, "governor").found == "ondemand, 2400 of 2400 MHz"


def files(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


Change = Callable[[Host], Host]


def machine_but(**changes: object) -> Change:
    return lambda machine: dataclasses.replace(machine, **changes)


def tree_but(tree: Tree = PI_4B, **changes: object) -> Change:
    def change(machine: Host) -> Host:
        tree.but(**changes).plant(machine.root)
        return machine

    return change


def edge_tpu(machine: Host) -> Host:
    usb = machine.root / "sys/bus/usb/devices/1-1.2"
    usb.mkdir(parents=True)
    (usb / "idVendor").write_text("1a6e\n")
    (usb / "idProduct").write_text("089a\n")
    return machine


def closed_camera(machine: Host) -> Host:
    return dataclasses.replace(machine, user=Account(name="pi", uid=-1, gids=frozenset({-5})))


def closed_firmware(machine: Host) -> Host:
    (machine.root / "dev/vcio").touch()
    (machine.root / "dev/vcio").chmod(0o600)
    return machine


def csi_camera(machine: Host) -> Host:
    (machine.root / "sys/class/video4linux/video0/name").write_text("unicam-image\n")
    return machine


def unsynchronised(machine: Host, said: str = "no") -> Host:
    (machine.root / "run/systemd/timesync/synchronized").unlink()
    tool = machine.root / "usr/bin/timedatectl"
    tool.parent.mkdir(parents=True, exist_ok=True)
    tool.write_text(f"#!/bin/sh\necho {said}\n")
    tool.chmod(0o755)
    return machine


def read_only(machine: Host) -> Host:
    (machine.root / "proc/mounts").write_text("/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n")
    return machine


def without_cameras(machine: Host) -> Host:
    for node in (machine.root / "sys/class/video4linux").glob("*/name"):
        node.write_text("rpi-hevc-dec\n")
    return machine


FAULTS: dict[str, tuple[Change, str, str, str]] = {
    "an old Python": (machine_but(python=(3, 9, 2)), "python", "fault", r"python3\.11 -m venv"),
    "a Python from the future": (machine_but(python=(3, 14, 0)), "python", "fault", r"python3\.11 -m venv"),
    "32 bit": (machine_but(pointer_bits=32, arch="armv7l"), "python", "fault", "flash Raspberry Pi OS"),
    "32 bit on a 64-bit kernel": (machine_but(pointer_bits=32), "python", "fault", "flash Raspberry Pi OS"),
    "no interpreter": (
        machine_but(packages={"opencv-python": "4.10.0.84"}),
        "interpreter",
        "fault",
        "pip install ai-edge-litert",
    ),
    "nothing that reads a camera": (
        machine_but(packages={"ai-edge-litert": "2.3.0"}),
        "extras",
        "warning",
        r"edgevid\[opencv\]",
    ),
    "an OpenCV that decodes other colors": (
        machine_but(packages={"ai-edge-litert": "2.3.0", "opencv-python": "5.0.0.93"}),
        "extras",
        "warning",
        r"pip install 'opencv-python-headless==4\.10\.\*'",
    ),
    "an Edge TPU without its driver": (edge_tpu, "delegates", "fault", "libedgetpu1-std"),
    "no camera": (without_cameras, "cameras", "warning", "rpicam-hello --list-cameras"),
    "a CSI camera without picamera2": (csi_camera, "cameras", "fault", "apt-get install python3-picamera2"),
    "not in the group of the camera": (closed_camera, "permissions", "fault", "sudo usermod -aG video pi"),
    "the firmware closed to the user": (closed_firmware, "permissions", "fault", "sudo usermod -aG video pi"),
    "too hot": (tree_but(celsius=81.2), "temperature", "fault", "vcgencmd measure_temp"),
    "warm": (tree_but(celsius=72), "temperature", "warning", "vcgencmd measure_temp"),
    "a weak supply now": (tree_but(throttled=0x50005), "throttling", "fault", "power supply"),
    "a weak supply before": (tree_but(throttled=0x50000), "throttling", "warning", "power supply"),
    "throttled now": (tree_but(throttled=0x40004), "throttling", "fault", "cool the board"),
    "the soft limit of a 3B+": (tree_but(PI_3B_PLUS, throttled=0x80008), "throttling", "warning", "cool the board"),
    "the slowest clock always": (tree_but(governor="powersave"), "governor", "warning", "echo ondemand | sudo tee"),
    "little memory": (tree_but(ram_kib=200_000), "memory", "warning", "set-default multi-user.target"),
    "no memory": (tree_but(ram_kib=80_000), "memory", "fault", "set-default multi-user.target"),
    "a disk that is nearly full": (machine_but(free_mib=300), "disk", "warning", "journalctl --vacuum-size"),
    "a full disk": (machine_but(free_mib=20), "disk", "fault", "journalctl --vacuum-size"),
    "a disk that cannot be written": (read_only, "disk", "warning", "mount -o remount,rw"),
    "a clock that was never set": (machine_but(year=1970), "clock", "fault", "timedatectl set-ntp true"),
    "a clock that nobody keeps": (unsynchronised, "clock", "warning", "timedatectl set-ntp true"),
}


@pytest.mark.parametrize(("change", "check", "status", "mend"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found_alone_and_comes_with_what_mends_it(
    tmp_path: Path, change: Change, check: str, status: str, mend: str
) -> None:
    findings = examine(change(plant(tmp_path)))
    assert [(finding.check, finding.status) for finding in findings if finding.status != "ok"] == [(check, status)]
    (finding,) = [finding for finding in findings if finding.check == check]
    assert re.search(mend, finding.mend)


def test_an_edge_tpu_with_its_driver_is_named(tmp_path: Path) -> None:
    machine = dataclasses.replace(edge_tpu(plant(tmp_path)), loads=lambda library: library == "libedgetpu.so.1")
    assert look(machine, "delegates") == Finding(
        check="delegates", status="ok", found="xnnpack (CPU); Edge TPU at usb 1-1.2, libedgetpu.so.1"
    )


def test_another_time_client_than_systemds_counts_as_well(tmp_path: Path) -> None:
    assert look(unsynchronised(plant(tmp_path), said="yes"), "clock").status == "ok"
    assert look(unsynchronised(plant(tmp_path), said="what"), "clock").status == "unknown"


def test_the_permissions_count_what_is_open_and_what_is_not(tmp_path: Path) -> None:
    machine = plant(tmp_path, cameras=("one", "two", "three"))
    assert look(machine, "permissions").found == "pi may open the 3 devices"
    (tmp_path / "dev/video1").chmod(0o600)
    assert look(machine, "permissions").found == "pi may open 2 of 3 devices, not /dev/video1"


def test_the_disk_is_that_of_the_state_folder_even_before_it_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    def free_mib(folder: Path) -> int:
        return shutil.disk_usage(folder).free // 2**20

    memory = Path("/dev/shm")
    if not memory.is_dir() or abs(free_mib(memory) - free_mib(Path.home())) < 100:
        pytest.skip("needs two file systems that can be told apart")
    monkeypatch.setenv("EDGEVID_STATE", str(memory / "edgevid-that-is-not-there/state"))
    assert abs(current_host().free_mib - free_mib(memory)) < 50
    monkeypatch.delenv("EDGEVID_STATE")
    assert abs(current_host().free_mib - free_mib(Path.home())) < 50


def test_root_may_open_everything(tmp_path: Path) -> None:
    machine = plant(tmp_path)
    (tmp_path / "dev/video0").chmod(0)
    assert (
        look(dataclasses.replace(machine, user=Account(name="root", uid=0, gids=frozenset())), "permissions").status
        == "ok"
    )


def test_a_machine_that_tells_nothing_is_unknown_and_not_faulty(tmp_path: Path) -> None:
    machine = dataclasses.replace(plant(tmp_path / "other", cameras=()), root=tmp_path / "bare")
    assert {finding.check for finding in examine(machine) if finding.status == "unknown"} == {
        "temperature",
        "throttling",
        "memory",
        "clock",
    }
    assert not [finding for finding in examine(machine) if finding.status == "fault"]


def test_examining_writes_nothing(tmp_path: Path) -> None:
    machine = plant(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    examine(machine)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("celsius", "code"), [(48.0, 0), (72.0, 0), (83.0, 1)], ids=["healthy", "a warning", "a fault"]
)
def test_the_command_fails_for_faults_only(
    tmp_path: Path, celsius: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = plant(tmp_path, PI_4B.but(celsius=celsius))
    monkeypatch.setattr(machine, "current_host", lambda: planted)
    assert cli.main(["doctor"]) == code
    out = capsys.readouterr().out
    assert f"{celsius} °C" in out
    assert ("13 checks, 0 faults, 0 warnings" in out) == (celsius == 48)
    assert cli.main(["doctor", "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"] == (code == 0)
    assert {finding["check"] for finding in found["findings"]} == {finding.check for finding in examine(planted)}


def test_the_command_runs_on_the_machine_of_this_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) in (0, 1)
    found = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert found["python"]["status"] == "ok"
    assert found["interpreter"]["status"] == "ok"
