"""Identification and answers on QEMU's Raspberry Pi 3B, with the image as its SD card.

Kernel and device tree are the image's, so the model string is the real one. A shell runs in place of
systemd (init=), which takes too long on this machine. Run with `make test-boot`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boot.machine import Firmware, Machine, overlay
from tests.boot.tools import BUILD

pytestmark = pytest.mark.boot
PYTHON = "/opt/edgevid/current/bin/python"
STEPS = (
    "mount -t proc proc /proc",
    "mount -t sysfs sys /sys",
    "mount -t tmpfs tmp /tmp",
    "echo MODEL $(tr -d '\\000' < /proc/device-tree/model)",
    "/usr/sbin/modprobe vivid",
    "cd /tmp",
    f"{PYTHON} -P -m edgevid.cli selftest /var/lib/edgevid/a.edgevid --json",
    f"{PYTHON} -P -m edgevid.cli run /var/lib/edgevid/a.edgevid --source v4l2:0 --max-frames 60 --stall 300 --json",
    f"{PYTHON} -c 'from edgevid.board import identify; print(identify())'",
    "echo BOARD DONE",
    "sleep 3600",
)
LIMIT_S = 1500


@pytest.fixture(scope="module")
def console(firmware: Firmware, card: Path) -> Iterator[str]:
    disk = overlay(card, BUILD / "raspi3b.qcow2", "2G")
    machine = Machine(
        firmware,
        disk,
        BUILD / "raspi3b.log",
        machine="raspi3b",
        more="init=/bin/sh",
        arguments=f'-c "{"; ".join(STEPS)}"',
    )
    try:
        # A whole line: the kernel prints its command line, which contains these words, too.
        machine.wait_for(r"(?m)^BOARD DONE\r?$", limit_s=LIMIT_S)
        yield machine.text()
    finally:
        machine.cut_power()


def test_the_board_says_what_it_is(console: str):
    assert re.search(r"^MODEL Raspberry Pi 3 Model B\r?$", console, re.MULTILINE)
    assert "Board(name='3b', model='Raspberry Pi 3 Model B'" in console


def test_it_gives_the_golden_answers(console: str):
    found = re.search(r'^\{"answers".*$', console, re.MULTILINE)
    assert found is not None
    assert json.loads(found[0])["max_steps"] < 0.01


def test_it_decides_on_frames_of_the_camera(console: str):
    assert re.search(r'^\{"t_s": .*"label": "', console, re.MULTILINE)
