"""Installation of the service on a running device, for which a folder with the files of a board stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgevid import boards_and_cameras, cli
from edgevid.errors import DeployError, FlashError, SlotsError
from edgevid.provision import deployment, raspberry_pi_os, service
from tests.boards import PI_4B
from tests.edgevid.provision import official
from tests.edgevid.provision.deployments import write


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root folder of a Pi 4B with Trixie, whose Python is this machine's."""
    root = PI_4B.plant(tmp_path / "machine")
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/os-release").write_text("ID=debian\nVERSION_CODENAME=trixie\n")
    official.make_folder(root / "boot/firmware", "trixie")
    version = "{}.{}".format(*sys.version_info)
    monkeypatch.setattr(raspberry_pi_os, "PYTHONS", {"trixie": version})
    monkeypatch.setattr(service, "PYTHONS", {"trixie": version})
    monkeypatch.setenv("EDGEVID_PYTHON", sys.executable)
    return root


def test_the_service_is_installed_as_a_card_would_install_it_and_boots_with_its_camera(
    machine: Path, tmp_path: Path, device_house: Path
) -> None:
    device = deployment.read(write(tmp_path, camera="uvc"))
    system = service.check_machine(device, root=machine)
    output, needs_restart = service.install(
        device, system, root=machine, wheelhouse=device_house, lock=device_house / "lock.txt"
    )
    assert "installed; see: systemctl status edgevid" in output
    assert (machine / "etc/systemd/system/multi-user.target.wants/edgevid.service").is_symlink()
    assert json.loads((machine / "var/lib/edgevid/state.json").read_text())["active"] == "a"
    assert needs_restart, "the memory controller must be switched on"
    assert "cgroup_enable=memory" in (machine / "boot/firmware/cmdline.txt").read_text()
    assert "systemd.run" not in (machine / "boot/firmware/cmdline.txt").read_text()
    assert (machine / "boot/firmware/user-data").read_text() == official.SEED["user-data"], (
        "users and network stay as they are"
    )


def test_a_deployment_for_another_board_is_refused(machine: Path, tmp_path: Path) -> None:
    with pytest.raises(
        FlashError, match="Expected the Raspberry Pi 5 Model B of the deployment, got Raspberry Pi 4 Model B"
    ):
        service.check_machine(deployment.read(write(tmp_path, board="5")), root=machine)
    (machine / "etc/os-release").write_text("VERSION_CODENAME=bullseye\n")
    with pytest.raises(FlashError, match="got bullseye"):
        service.check_machine(deployment.read(write(tmp_path)), root=machine)


def test_the_command_refuses_a_machine_that_is_no_raspberry_pi(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if Path("/proc/device-tree/model").exists():
        pytest.skip("this machine has a device tree")
    assert cli.main(["install-service", str(write(tmp_path)), "--yes"]) == 1
    assert (
        capsys.readouterr().err
        == "edgevid: Expected the Raspberry Pi 4 Model B of the deployment, got no Raspberry Pi.\n"
    )


def test_an_installation_that_fails_says_its_last_words(
    machine: Path, tmp_path: Path, device_house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEVID_PYTHON", "/bin/false")
    device = deployment.read(write(tmp_path))
    with pytest.raises(FlashError, match=r"Expected install\.sh to succeed, got exit code 1"):
        service.install(
            device,
            service.check_machine(device, root=machine),
            root=machine,
            wheelhouse=device_house,
            lock=device_house / "lock.txt",
        )
    assert not (machine / "etc/systemd/system/edgevid.service").exists()


def test_a_service_that_cannot_be_restarted_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 4\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(DeployError, match=r"Access denied\. Run the command with sudo"):
        service.restart()
    assert subprocess.run(["systemctl"], capture_output=True, check=False).returncode == 4


def test_a_root_that_forgets_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text("/dev/mmcblk0p2 / ext4 rw 0 0\n")
    service.refuse_volatile_root(tmp_path)
    (tmp_path / "proc/mounts").write_text("overlayroot / overlay rw,lowerdir=/media/root-ro 0 0\n")
    with pytest.raises(SlotsError, match="overlayroot-chroot"):
        service.refuse_volatile_root(tmp_path)


def test_edgevids_own_read_only_root_keeps_bundles_and_refuses_the_rest(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text(
        "edgevid-overlay / overlay rw,lowerdir=/mnt/lower 0 0\n/dev/mmcblk0p2 /var/lib/edgevid ext4 rw 0 0\n"
    )
    service.refuse_volatile_root(tmp_path)
    with pytest.raises(
        SlotsError, match=r"Remove the word init=/usr/local/lib/edgevid/overlay-root from /boot/firmware/cmdline\.txt"
    ):
        service.refuse_volatile_root(tmp_path, bundles_only=False)
    assert f" {service.OVERLAY_DEVICE} " in (boards_and_cameras.folder() / "boot/overlay-root.sh").read_text()
