"""The first boot of a Bookworm card from `edgevid flash`: `firstrun.sh` runs once and restarts the board.

The tests read its effects from the card afterwards. `test_flashed_boots` covers the installation in the
next boot. Short scripts stand for raspi-config and userconf, see `raspios`. Run with `make test-boot`.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgevid.provision import boot_partition
from tests.boot import raspios, tools
from tests.boot.conftest import BOOT_S, USER, describe, edgevid
from tests.boot.machine import CAMERA, WATCHED, Machine, play_firmware, read_boot
from tests.boot.tools import BUILD

pytestmark = pytest.mark.boot
HOSTNAME = "nest-4"


@dataclass(frozen=True)
class Ran:
    """A card before and after its first boot.

    Attributes:
        card: The file.
        before: Its command line as it was flashed.
        first_boot: The mechanism that `edgevid flash` detected.
    """

    card: Path
    before: str
    first_boot: object

    def root(self, path: str) -> str:
        """Read a file of the root; empty if it does not exist."""
        return (boot_partition.read_root(self.card, boot_partition.boot_and_root(self.card)[1], path) or b"").decode()


@pytest.fixture(scope="module")
def ran(official_card: Path, key: tuple[Path, str]) -> Ran:
    card = raspios.without_cloud_init(tools.copy(official_card, BUILD / "firstrun.img"))
    config = describe(BUILD / "firstrun.toml", key, hostname=HOSTNAME)
    plan = edgevid("firstrun.flash", "flash", str(config), "--to", str(card), "--yes", "--json")
    firmware = play_firmware(card, BUILD / "firstrun-firmware", device_tree="bcm2711-rpi-4-b.dtb")
    machine = Machine(firmware, card, BUILD / "firstrun.log", more=f"{WATCHED} {CAMERA} cloud-init=disabled")
    try:
        # QEMU exits at the restart (-no-reboot).
        machine.wait_for_end(limit_s=BOOT_S)
    finally:
        machine.cut_power()
    return Ran(card, firmware.cmdline, plan["first_boot"])


def test_firstrun_runs_once_and_removes_itself(ran: Ran) -> None:
    assert ran.first_boot == "firstrun"
    assert "systemd.run=/boot/firmware/firstrun.sh" in ran.before
    assert read_boot(ran.card, "cmdline.txt").decode().split() == [
        word for word in ran.before.split() if not word.startswith("systemd.")
    ]
    assert "firstrun.sh" not in boot_partition.FatPartition(ran.card, boot_partition.boot_and_root(ran.card)[0]).files()


def test_it_applies_the_deployment(ran: Ran, key: tuple[Path, str]) -> None:
    assert ran.root("/etc/hostname") == f"{HOSTNAME}\n"
    assert ran.root("/etc/timezone") == "Europe/Zurich\n"
    assert f"\n{USER}:" in ran.root("/etc/passwd")
    assert ran.root(f"/home/{USER}/.ssh/authorized_keys") == f"{key[1]}\n"
    assert ran.root("/etc/ssh/sshd_config.d/50-edgevid.conf") == "PasswordAuthentication no\n"


def test_the_next_boot_installs(ran: Ran) -> None:
    unit = read_boot(ran.card, "edgevid/edgevid-install.service").decode()
    assert ran.root("/etc/systemd/system/edgevid-install.service") == unit
    wanted = "stat /etc/systemd/system/multi-user.target.wants/edgevid-install.service"
    at = f"{ran.card}?offset={boot_partition.boot_and_root(ran.card)[1].start_bytes}"
    said = subprocess.run(
        ["debugfs", "-R", wanted, at], capture_output=True, text=True, check=True, env=tools.environment()
    ).stdout
    assert 'Fast link dest: "/etc/systemd/system/edgevid-install.service"' in said
    assert (
        "edgevid/first-boot.log"
        not in boot_partition.FatPartition(ran.card, boot_partition.boot_and_root(ran.card)[0]).files()
    )
