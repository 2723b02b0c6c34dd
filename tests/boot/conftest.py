"""Fixtures of the boot tests: cards, and the observations on machines that booted from them.

A boot takes minutes under emulation, so pytest collects these tests only with `-m boot`. Run them with

    make test-boot

It needs root, half an hour the first time, and the programs in `tools.PACKAGES`. build/cache keeps
the bootstrapped Debian, and build/boot has the console log of every machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgevid.provision.image import assemble, debian_base, host_tools, recipe
from tests.boot import raspios, tools
from tests.boot.machine import CAMERA, WATCHED, Firmware, Machine, Shell, keep, make_key, overlay, play_firmware
from tests.boot.tools import BUILD, CACHE, ROOT

HOSTNAME, USER = "gate-7", "keeper"
BUNDLE = ROOT / "edgevid/data/gestures.edgevid"
DECISION = r'"label": "'
# A boot took 3 to 7 minutes, emulated on two shared cores.
BOOT_S, SHELL_S = 1500, 600
MARK = "@@@"
GOLDEN = {"golden": ("/opt/edgevid/current/bin/python - . /var/lib/edgevid/a.edgevid", tools.ANSWERS.read_text())}
ASKED = {
    "settled": "cloud-init status --wait",
    "hostname": "hostname",
    "user": "id -un; id -Gn",
    "timezone": "cat /etc/timezone",
    "failed": "systemctl --failed --plain --no-legend",
    "service": "systemctl show edgevid --property=User,ActiveState,SubState,MainPID,NRestarts",
    "owner": "ps -o user= -p $(systemctl show edgevid --property=MainPID --value)",
    "camera": "sudo ls -l /proc/$(systemctl show edgevid --property=MainPID --value)/fd",
    "decisions": "journalctl -b -u edgevid -o cat --no-pager | grep label | head -n 5",
    "slots": "edgevid slots --json",
    "selftest": "edgevid selftest $(ls /var/lib/edgevid/*.edgevid | head -n 1) --json",
    "root": "df --output=size -B M / | tail -n 1",
    "identity": (
        "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; sudo sh -c 'cat /var/lib/cloud/data/instance-id'"
    ),
    "done once": "sudo sh -c 'stat -c %n,%Y /var/lib/cloud/instance/sem/*'",
    "boot": "cat /proc/sys/kernel/random/boot_id",
    "warnings": "sudo grep -hE '(WARNING|ERROR|DEPRECATED)]:' /var/log/cloud-init.log",
    "cloud": "sudo cat /var/lib/cloud/data/result.json",
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip collection of the boots without `-m boot`."""
    is_asked = config.getoption("markexpr", "") == "boot"
    return None if is_asked or collection_path.name == "conftest.py" else True


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fail at once if a program is missing: with `-m boot`, a skip would hide that."""
    if session.config.getoption("markexpr", "") == "boot":
        need_programs()


def need_programs() -> None:
    """End the session with the command to run if a program is missing or too old."""
    missing = tools.missing()
    if missing:
        pytest.exit(f"Expected the programs of these tests. Run: apt-get install {' '.join(missing)}", returncode=2)
    if tools.qemu_version() < tools.QEMU_LEAST:
        pytest.exit(
            f"Expected QEMU {tools.QEMU_LEAST} or later, got {tools.qemu_version()}. "
            "Run: make test-boot, or scripts/newer_tools.sh",
            returncode=2,
        )
    if not debian_base.path(recipe.recipe("bookworm"), CACHE).is_file():
        host_tools.require_emulation()
    BUILD.mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="session")
def key() -> tuple[Path, str]:
    """Make an SSH key for these tests."""
    return make_key(BUILD)


def describe(path: Path, key: tuple[Path, str], *, hostname: str = HOSTNAME, more: str = "") -> Path:
    """Write a deployment with a USB camera, and limits for a machine twenty times slower than a board."""
    lines = [
        'board = "4b"',
        'camera = "uvc"',
        f"bundle = {json.dumps(str(BUNDLE))}",
        f'hostname = "{hostname}"',
        'timezone = "Europe/Zurich"',
        f'[user]\nname = "{USER}"\nssh_keys = [{json.dumps(key[1])}]',
        '[run]\njson = true\nstall = 300\nsource = "v4l2:0?size=320x180&fps=5"',
        f"[service]\nstart_limit_s = 1800\nwatchdog_s = 1800\nmemory_mib = 384\n{more}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def deployment(key: tuple[Path, str]) -> Path:
    """The deployment for `edgevid image build`."""
    return describe(BUILD / "device.toml", key)


def image_build(deployment: Path, out: Path) -> dict[str, object]:
    """Run `edgevid image build` as a user does."""
    return edgevid(
        f"{out.stem}.build", "image", "build", str(deployment), "-o", str(out), "--cache", str(CACHE), "--json"
    )


def edgevid(name: str, *words: str) -> dict[str, object]:
    """Run a command of edgevid, and write its output to NAME.log."""
    command = ["nice", "-n", "15", sys.executable, "-m", "edgevid.cli", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=tools.environment(), cwd=ROOT, timeout=3600
    )
    (BUILD / f"{name}.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answers_here() -> dict[str, object]:
    """Return this machine's answers to the golden clip, from the program that also runs on the boards."""
    words = [sys.executable, str(tools.ANSWERS), str(ROOT), str(BUNDLE)]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True, env=tools.environment()).stdout)


@pytest.fixture(scope="session")
def card(deployment: Path) -> Path:
    """The image of `edgevid image build`. Tests must not write to it."""
    out = BUILD / "card.img"
    image_build(deployment, out)
    return out


@pytest.fixture(scope="session")
def official_card() -> Path:
    """A card in the official layout, as Raspberry Pi Imager leaves it. `edgevid flash` prepares copies of it."""
    made_of = recipe.recipe("bookworm")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PATH", "LD_LIBRARY_PATH"):
            if name in tools.environment():
                patch.setenv(name, tools.environment()[name])
        debian = debian_base.bootstrap(made_of, CACHE, epoch_s=assemble.EPOCH_S)
        return raspios.make(BUILD / "official.img", debian, made_of, epoch_s=assemble.EPOCH_S)


@pytest.fixture(scope="session")
def firmware(card: Path) -> Firmware:
    return play_firmware(card, BUILD / "firmware", device_tree="bcm2837-rpi-3-b.dtb")


@pytest.fixture(scope="module")
def shell(key: tuple[Path, str]) -> Shell:
    """A login without known hosts: each card makes its own host keys at its first boot."""
    return Shell(key[0], USER)


@dataclass(frozen=True)
class Seen:
    """Observations of one boot: the console, and answers over ssh by the keys of `ASKED`."""

    console: str
    answers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.answers[name]


def observe(machine: Machine, shell: Shell, more: dict[str, tuple[str, str]]) -> Seen:
    """Wait for the first decision on the console, then run the commands of `ASKED` over ssh."""
    machine.wait_for(DECISION, limit_s=BOOT_S)
    shell.wait(machine, limit_s=SHELL_S)
    answers = _ask(machine, shell)
    answers |= {
        name: shell.run(machine, command, stdin=stdin, limit_s=SHELL_S) for name, (command, stdin) in more.items()
    }
    keep(machine, "answers", "\n".join(f"# {name}\n{text}" for name, text in answers.items()))
    return Seen(machine.text(), answers)


def _ask(machine: Machine, shell: Shell) -> dict[str, str]:
    """Run all commands in one login, which takes a while under emulation."""
    program = "\n".join(f"echo '{MARK} {name}'\n{command}" for name, command in ASKED.items())
    output = shell.run(machine, "sh", stdin=program, limit_s=2 * SHELL_S, check=False)
    parts = [part.partition("\n") for part in output.split(f"{MARK} ")[1:]]
    return {name: answer for name, _, answer in parts}


@pytest.fixture(scope="session")
def disk(card: Path) -> Path:
    """A card of 4 GiB with the image, shared by all boots."""
    return overlay(card, BUILD / "disk.qcow2", "4G")


@pytest.fixture(scope="module")
def first(firmware: Firmware, disk: Path, shell: Shell) -> Seen:
    """The first boot, up to its first decision and a clean shutdown."""
    return start(firmware, disk, shell, "first", GOLDEN)


@pytest.fixture(scope="module")
def second(first: Seen, firmware: Firmware, disk: Path, shell: Shell) -> Seen:
    """The second boot of the card. It depends on `first` for the order."""
    return start(firmware, disk, shell, "second", {})


def start(
    firmware: Firmware, disk: Path, shell: Shell, name: str, more: dict[str, tuple[str, str]], *, words: str = ""
) -> Seen:
    """Boot a disk, observe its first decision, and shut it down; `words` extend the kernel's command line."""
    machine = Machine(firmware, disk, BUILD / f"{name}.log", more=f"{WATCHED} {CAMERA} {words}")
    try:
        seen = observe(machine, shell, more)
        shell.run(machine, "sudo systemctl poweroff", check=False)
        machine.wait_for_end(limit_s=SHELL_S)
        return seen
    finally:
        machine.cut_power()
