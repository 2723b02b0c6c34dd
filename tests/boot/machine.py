"""An emulated board in QEMU, and a stand-in for the Pi's firmware.

`play_firmware` reads config.txt and cmdline.txt from the boot partition and finds the kernel, as the
firmware does. QEMU has no bootcode.bin, start*.elf or overlays, and nothing here replaces them.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.boot.tools import environment, qemu

BOOT_AT = "4M"
# The serial console of each machine, which replaces the Pi's.
CONSOLES = {"virt": "ttyAMA0", "raspi3b": "ttyAMA0,115200"}
# Copies the journal to the console.
WATCHED = "systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info"
# The kernel's virtual camera.
CAMERA = "modules_load=vivid"
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Firmware:
    """The kernel, its files and its command line, copied from a boot partition."""

    kernel: Path
    initrd: Path
    cmdline: str
    device_tree: Path


def play_firmware(card: Path, folder: Path, *, device_tree: str) -> Firmware:
    """Copy the files that config.txt names from the boot partition to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    # The firmware's defaults, with auto_initramfs=1. Source: documentation of config.txt
    config = {"kernel": "kernel8.img", "initramfs": "initramfs8"}
    for line in read_boot(card, "config.txt").decode().splitlines():
        name, _, value = line.replace("initramfs ", "initramfs=", 1).partition("=")
        config[name.strip()] = value.split()[0] if value.split() else ""
    files = {"kernel": config["kernel"], "initrd": config["initramfs"], "device_tree": device_tree}
    for name, source in files.items():
        (folder / name).write_bytes(read_boot(card, source))
    return Firmware(
        folder / "kernel", folder / "initrd", read_boot(card, "cmdline.txt").decode().strip(), folder / "device_tree"
    )


def read_boot(card: Path, name: str) -> bytes:
    done = subprocess.run(
        ["mcopy", "-n", "-i", f"{card}@@{BOOT_AT}", f"::{name}", "-"],
        capture_output=True,
        check=True,
        env=environment(),
    )
    return done.stdout


def overlay(card: Path, disk: Path, size: str) -> Path:
    """Make a larger disk on top of a card, which stays unchanged. QEMU's SD cards need a power of two as size."""
    disk.unlink(missing_ok=True)
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(card.resolve()), "-F", "raw", str(disk), size]
    subprocess.run(command, check=True, env=environment())
    return disk


class Machine:
    """A running machine; `log` has its console."""

    def __init__(
        self,
        firmware: Firmware,
        disk: Path,
        log: Path,
        *,
        machine: str = "virt",
        more: str = f"{WATCHED} {CAMERA}",
        arguments: str = "",
        beside: Path | None = None,
    ):
        self.log, self.port = log, free_port()
        console = re.sub(r"console=(ttyS1|serial0),115200", f"console={CONSOLES[machine]}", firmware.cmdline)
        # The last console wins: systemd's journal and programs without a terminal write to it.
        cmdline = f"{console} console={CONSOLES[machine]} {more}" + (f" -- {arguments}" if arguments else "")
        boot = ["-kernel", firmware.kernel, "-initrd", firmware.initrd, "-append", cmdline]
        shape = getattr(self, f"_{machine}")(firmware, disk)
        if beside is not None:
            shape += [
                "-drive",
                f"if=none,id=b,file={beside},format=raw,readonly=on",
                "-device",
                "virtio-blk-pci,drive=b",
            ]
        quiet = ["-display", "none", "-monitor", "none", "-no-reboot", "-serial", f"file:{log}"]
        log.unlink(missing_ok=True)
        command = ["nice", "-n", "5", *map(str, [*qemu(), "-M", machine, *shape, *quiet, *boot])]
        with log.with_suffix(".qemu.log").open("wb") as said:
            said.write((shlex.join(command) + "\n").encode())
            said.flush()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment()
            )
        self.started_s = time.monotonic()

    def _virt(self, _: Firmware, disk: Path) -> list[object]:
        network = ["-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-net-pci,netdev=n"]
        drive = [
            "-drive",
            f"if=none,id=d,file={disk},format={_format(disk)},cache=writethrough",
            "-device",
            "virtio-blk-pci,drive=d",
        ]
        return [
            "-cpu",
            "cortex-a72",
            "-smp",
            "2",
            "-m",
            "1024",
            "-accel",
            "tcg,thread=multi,tb-size=512",
            *network,
            *drive,
        ]

    def _raspi3b(self, firmware: Firmware, disk: Path) -> list[object]:
        return ["-accel", "tcg,thread=multi", "-dtb", firmware.device_tree, "-drive", f"if=sd,file={disk},format=qcow2"]

    def text(self) -> str:
        return ANSI.sub("", self.log.read_text(errors="replace")) if self.log.exists() else ""

    def wait_for(self, pattern: str, *, limit_s: float, every_s: float = 2) -> re.Match[str]:
        """Wait until the serial console matches a pattern."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None:
                raise AssertionError(f"QEMU ended with {self.process.returncode} before {pattern!r}; see {self.log}")
            time.sleep(every_s)
        raise AssertionError(f"no {pattern!r} on the console within {limit_s:.0f} s; see {self.log}")

    def wait_for_end(self, *, limit_s: float) -> None:
        self.process.wait(timeout=limit_s)

    def cut_power(self) -> None:
        """Kill the machine without a shutdown, as a pulled plug does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=30)


def _format(disk: Path) -> str:
    return "qcow2" if disk.suffix == ".qcow2" else "raw"


class Shell:
    """A login over ssh with the deployment's user and key. Every login must see the host key of the first one."""

    def __init__(self, key: Path, user: str):
        self.key, self.user = key, user
        self.known = key.with_name("known_hosts")
        self.known.unlink(missing_ok=True)

    def options(self, port_option: str, machine: Machine) -> list[str]:
        settings = {
            "UserKnownHostsFile": self.known,
            "StrictHostKeyChecking": "accept-new",
            "HostKeyAlias": "board",
            "BatchMode": "yes",
            "ConnectTimeout": 60,
        }
        return [
            "-i",
            str(self.key),
            port_option,
            str(machine.port),
            *(f"-o{name}={value}" for name, value in settings.items()),
        ]

    def run(self, machine: Machine, command: str, *, stdin: str = "", limit_s: float = 300, check: bool = True) -> str:
        words = ["ssh", *self.options("-p", machine), f"{self.user}@127.0.0.1", command]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=limit_s, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{command!r} on the board ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def wait(self, machine: Machine, *, limit_s: float) -> None:
        """Wait until a login succeeds."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s and machine.process.poll() is None:
            words = ["ssh", *self.options("-p", machine), f"{self.user}@127.0.0.1", "true"]
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
            if done.returncode == 0:
                return
            time.sleep(5)
        raise AssertionError(f"no login over ssh within {limit_s:.0f} s; see {machine.log}")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def keep(machine: Machine, name: str, text: str) -> None:
    """Write answers over ssh to a file next to the console's log."""
    machine.log.with_name(f"{machine.log.stem}.{name}.log").write_text(text)


def make_key(folder: Path) -> tuple[Path, str]:
    key = folder / "id_ed25519"
    for path in (key, key.with_suffix(".pub")):
        path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "boot-test", "-f", str(key)], check=True)
    return key, key.with_suffix(".pub").read_text().strip()
