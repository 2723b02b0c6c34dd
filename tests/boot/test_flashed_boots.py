"""Two boots of a card that `edgevid flash` wrote.

In the first one, cloud-init applies the deployment, packages are installed from the card without a
network, and the service starts and decides. The second one repeats nothing and has a read-only root.
The card has the official layout but is not an official image, see `raspios`. Run with `make test-boot`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgevid.provision import boot_partition
from edgevid.provision.image.disk import FIRST_MIB, MIB
from tests.boot import raspios, tools
from tests.boot.conftest import BUNDLE, GOLDEN, USER, Seen, answers_here, describe, edgevid, start
from tests.boot.machine import Firmware, Shell, play_firmware, read_boot
from tests.boot.tools import BUILD, environment

pytestmark = pytest.mark.boot
HOSTNAME = "porch-3"
# As Raspberry Pi OS names its ports.
KERNEL_NAMES = "net.ifnames=0"
ROOT_AT = (FIRST_MIB + raspios.BOOT_MIB) * MIB
INSTALLED = {"installed": ("stat -c %y /opt/edgevid/*/complete; systemctl is-enabled edgevid-install || true", "")}
# Writes to the read-only root and to the folder of bundles.
TRIED = {
    "mounts": ("cat /proc/mounts", ""),
    "written": ("sudo sh -c 'echo forgotten >/etc/written && cat /etc/written'", ""),
    "kept": ("sudo sh -c 'echo kept >/var/lib/edgevid/kept && sync && cat /var/lib/edgevid/kept'", ""),
}


@dataclass(frozen=True)
class Flashed:
    """A card after `edgevid flash`, with the plan that the command printed."""

    card: Path
    plan: dict[str, object]
    cmdline: str


@pytest.fixture(scope="module")
def flashed(official_card: Path, key: tuple[Path, str]) -> Flashed:
    """A card from `edgevid flash`. The boots write to it."""
    card = tools.copy(official_card, BUILD / "flashed.img")
    config = describe(BUILD / "flashed.toml", key, hostname=HOSTNAME, more="[card]\nread_only_root = true\n")
    plan = edgevid("flashed.flash", "flash", str(config), "--to", str(card), "--yes", "--json")
    return Flashed(card, plan, read_boot(card, "cmdline.txt").decode())


def firmware_of(card: Path) -> Firmware:
    return play_firmware(card, BUILD / "flashed-firmware", device_tree="bcm2711-rpi-4-b.dtb")


@pytest.fixture(scope="module")
def first(flashed: Flashed, shell: Shell) -> Seen:
    return start(
        firmware_of(flashed.card), flashed.card, shell, "flashed-first", {**GOLDEN, **INSTALLED}, words=KERNEL_NAMES
    )


@pytest.fixture(scope="module")
def second(first: Seen, flashed: Flashed, shell: Shell) -> Seen:
    return start(
        firmware_of(flashed.card), flashed.card, shell, "flashed-second", {**INSTALLED, **TRIED}, words=KERNEL_NAMES
    )


def of_root(card: Path, path: str) -> bytes | None:
    """Read a file of the card's root without booting it."""
    return boot_partition.read_root(card, boot_partition.boot_and_root(card)[1], path)


def test_flash_found_out_what_is_on_the_card(flashed: Flashed) -> None:
    assert (flashed.plan["release"], flashed.plan["first_boot"]) == ("bookworm", "cloud-init")


def test_a_flashed_card_decides_without_a_network_and_without_anybodys_help(first: Seen) -> None:
    line = next(line for line in first.console.splitlines() if '"label": "' in line)
    decision = json.loads(line[line.index("{") :])
    assert decision["label"] in decision["scores"]
    print(f"\nthe first decision of a card that edgevid flash wrote: {line}")


def test_cloud_init_applied_the_deployment(first: Seen) -> None:
    cloud = json.loads(first["cloud"])["v1"]
    assert cloud["errors"] == []
    assert "seedfrom" in cloud["datasource"] or "DataSourceNoCloud" in cloud["datasource"]
    assert first["hostname"].strip() == HOSTNAME
    name, groups = first["user"].splitlines()
    assert name == USER
    assert {"sudo", "video"} <= set(groups.split())
    assert first["timezone"].strip() == "Europe/Zurich"
    assert (first["failed"], first["warnings"], "ordering cycle" in first.console) == ("", "", False)


def test_what_it_installed_is_the_card_and_nothing_else(first: Seen, flashed: Flashed) -> None:
    log = read_boot(flashed.card, "edgevid/first-boot.log").decode()
    assert "installed; see: systemctl status edgevid" in log
    assert log.rstrip().endswith("exit code 0")
    sums = read_boot(flashed.card, "edgevid/SHA256SUMS")
    assert of_root(flashed.card, "/opt/edgevid/installed") == sums
    assert "disabled" in first["installed"]


def test_the_service_runs_as_its_own_user_with_the_kernels_camera(first: Seen) -> None:
    told = dict(line.split("=", 1) for line in first["service"].splitlines())
    assert told["User"] == first["owner"].strip() == "edgevid"
    assert (told["ActiveState"], told["NRestarts"]) == ("active", "0")
    assert "/dev/video0" in first["camera"]


def test_its_answers_are_those_of_this_machine_bit_for_bit(first: Seen) -> None:
    here, there = answers_here(), json.loads(first["golden"])
    assert there["machine"] == "aarch64"
    assert there["parts"] == here["parts"]
    assert np.abs(np.subtract(there["scores"], here["scores"])).max() < 1e-6
    slot = json.loads(first["slots"])["slots"]["a"]
    assert slot["sha256"] == hashlib.sha256(BUNDLE.read_bytes()).hexdigest()


def test_a_second_boot_sets_nothing_up_again(first: Seen, second: Seen) -> None:
    assert second["boot"] != first["boot"]
    for name in ("identity", "done once", "installed", "hostname", "user", "slots"):
        assert second[name] == first[name], name
    assert "installing packages" in first.console
    assert "installing packages" not in second.console
    assert "ActiveState=active" in second["service"]
    assert second["failed"] == ""


def test_its_root_is_read_only_from_then_on_and_its_bundles_are_kept(
    flashed: Flashed, first: Seen, second: Seen
) -> None:
    assert "init=" not in flashed.cmdline, "the installation needs a root that keeps it"
    mounts = {line.split()[1]: line.split() for line in second["mounts"].splitlines()}
    assert mounts["/"][:3] == ["edgevid-overlay", "/", "overlay"]
    assert mounts["/var/lib/edgevid"][2] == "ext4"
    assert (second["written"].strip(), second["kept"].strip()) == ("forgotten", "kept")
    assert of_root(flashed.card, "/etc/written") is None
    assert of_root(flashed.card, "/var/lib/edgevid/kept") == b"kept\n"
    done = subprocess.run(
        ["e2fsck", "-fn", f"{flashed.card}?offset={ROOT_AT}"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout
