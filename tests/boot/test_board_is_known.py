"""QEMU's Raspberry Pi 3B with Debian's kernel and Debian's device tree, from the card as its SD card: the real string of a board, and answers.

The program is started in place of systemd (init=), which would take this machine too long; everything else is as the image has it.
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
    f"{PYTHON} -m edgevid.cli selftest /var/lib/edgevid/a.edgevid --json",
    f"{PYTHON} -m edgevid.cli run /var/lib/edgevid/a.edgevid --source v4l2:0 --max-frames 60 --stall 300 --json",
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
        # A line of its own: the kernel prints its command line, which has these words, too.
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
