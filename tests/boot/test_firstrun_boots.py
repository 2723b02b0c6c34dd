"""A card of the Bookworm kind that `edgevid flash` wrote, booted: `firstrun.sh` runs once in a boot of its own, the next one installs and decides.

raspi-config and userconf are of Raspberry Pi's own archive: scripts of a few lines stand for them, see `raspios`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.boot import raspios, tools
from tests.boot.conftest import SHELL_S, USER, Seen, describe, edgevid, start
from tests.boot.machine import CAMERA, WATCHED, Machine, Shell, make_key, play_firmware, read_boot
from tests.boot.tools import BUILD

pytestmark = pytest.mark.boot
HOSTNAME = "nest-4"
NO_CLOUD_INIT = "net.ifnames=0 cloud-init=disabled"
ASKED = {"passwords": ("sudo sshd -T | grep -i '^passwordauthentication'", ""), "ran": ("cat /proc/cmdline", "")}


@pytest.fixture(scope="module")
def seen(official_card: Path) -> tuple[Path, Seen]:
    """The card after both boots, and what was seen of the second."""
    folder = BUILD / "firstrun"
    folder.mkdir(exist_ok=True)
    key = make_key(folder)
    card = raspios.without_cloud_init(tools.copy(official_card, BUILD / "firstrun.img"))
    config = describe(BUILD / "firstrun.toml", key, hostname=HOSTNAME)
    plan = edgevid("firstrun.flash", "flash", str(config), "--to", str(card), "--yes", "--json")
    assert plan["first_boot"] == "firstrun"
    firmware = play_firmware(card, BUILD / "firstrun-firmware", device_tree="bcm2711-rpi-4-b.dtb")
    assert "systemd.run=/boot/firmware/firstrun.sh" in firmware.cmdline
    machine = Machine(firmware, card, BUILD / "firstrun-first.log", more=f"{WATCHED} {CAMERA} {NO_CLOUD_INIT}")
    try:
        machine.wait_for_end(limit_s=2 * SHELL_S)
    finally:
        machine.cut_power()
    firmware = play_firmware(card, BUILD / "firstrun-firmware", device_tree="bcm2711-rpi-4-b.dtb")
    return card, start(firmware, card, Shell(key[0], USER), "firstrun-second", ASKED, words=NO_CLOUD_INIT)


def test_firstrun_ran_once_and_removed_itself(seen: tuple[Path, Seen]) -> None:
    card, second = seen
    assert "systemd.run" not in read_boot(card, "cmdline.txt").decode()
    assert "systemd.run" not in second["ran"]
    with pytest.raises(Exception, match="non-zero exit status"):
        read_boot(card, "firstrun.sh")


def test_it_applied_the_deployment(seen: tuple[Path, Seen]) -> None:
    _, second = seen
    assert second["hostname"].strip() == HOSTNAME
    assert second["user"].splitlines()[0] == USER
    assert second["timezone"].strip() == "Europe/Zurich"
    assert second["passwords"].strip() == "passwordauthentication no"


def test_the_card_installed_itself_and_decides(seen: tuple[Path, Seen]) -> None:
    card, second = seen
    assert read_boot(card, "edgevid/first-boot.log").decode().rstrip().endswith("exit code 0")
    told = dict(line.split("=", 1) for line in second["service"].splitlines())
    assert (told["User"], told["ActiveState"]) == ("edgevid", "active")
    assert json.loads(second["selftest"])["max_steps"] < 0.01
    assert '"label": "' in second.console
    assert second["failed"] == ""
