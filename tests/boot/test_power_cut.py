"""The plug is pulled at a random moment of an update, and the card started again: there is always a valid bundle in service.

Hundreds of cuts, between and inside of writes, are made natively in tests/edgevid/provision; these three go through a real kernel's file system.
Updates run in place of systemd (init=), one after the other, so that nearly any moment is a moment of an update.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import re
import time
from pathlib import Path

import pytest

from edgevid import bundle
from tests.boot.conftest import BUNDLE
from tests.boot.machine import Firmware, Machine, overlay
from tests.boot.tools import BUILD

pytestmark = pytest.mark.boot
CUTS = 3
# Seconds in which the plug is pulled: an update takes about half of that under emulation.
WINDOW_S = (2.0, 90.0)
LIMIT_S = 900
SLOTS = "/var/lib/edgevid"
PYTHON = "/opt/edgevid/current/bin/python"
CONFIRM = "import sys, pathlib; from edgevid.provision.slots import Slots; Slots(pathlib.Path(sys.argv[1])).confirm()"


@pytest.fixture(scope="module")
def other() -> Path:
    """Another bundle with the same answers."""
    shipped = bundle.read(BUNDLE)
    path = BUILD / "other.edgevid"
    bundle.write(dataclasses.replace(shipped, report={**shipped.report, "note": "the other one"}), path)
    return path


def steps(size: int) -> str:
    """Look at what is there, then update for ever: each update is confirmed, so the next one overwrites the other slot."""
    edgevid = f"{PYTHON} -m edgevid.cli"
    update = f"{edgevid} activate /mnt/other.edgevid && {PYTHON} -c '{CONFIRM}' {SLOTS} && echo UPDATED"
    commands = [
        "mount -t proc proc /proc",
        "mount -t sysfs sys /sys",
        "mount -t tmpfs tmp /tmp",
        "mount -t tmpfs other /mnt",
        "mount -o remount,rw /",
        f"head -c {size} /dev/vdb > /mnt/other.edgevid",
        f"{edgevid} slots --json",
        f"sha256sum {SLOTS}/?.edgevid",
        "echo LOOKED",
        f"while :; do {update}; done",
    ]
    return f'-c "{"; ".join(commands)}"'


def refuse_damage(console: str, known: set[str]) -> None:
    """The bundle in service is one of the two, whole, and what the state says it is."""
    told = re.search(r'^\{"active".*$', console, re.MULTILINE)
    assert told is not None
    state = json.loads(told[0])
    whole = {slot: digest for digest, slot in re.findall(rf"^([0-9a-f]{{64}})\s+{SLOTS}/(.)\.edgevid", console, re.MULTILINE)}
    in_service = state["trial"]["slot"] if state.get("trial") else state["active"]
    assert whole[in_service] in known
    assert whole[in_service] == state["slots"][in_service]["sha256"]


def test_a_power_cut_during_an_update_leaves_a_valid_bundle_in_service(card: Path, firmware: Firmware, other: Path):
    disk = overlay(card, BUILD / "cuts.qcow2", "2G")
    moments = random.Random(20260101)
    known = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (BUNDLE, other)}
    updated = 0
    for cut in range(CUTS + 1):
        machine = Machine(firmware, disk, BUILD / f"cut-{cut}.log", more="init=/bin/sh", arguments=steps(other.stat().st_size), beside=other)
        try:
            machine.wait_for(r"(?m)^LOOKED\r?$", limit_s=LIMIT_S)
            refuse_damage(machine.text(), known)
            if cut < CUTS:
                time.sleep(moments.uniform(*WINDOW_S))
        finally:
            machine.cut_power()
        updated += machine.text().count("\nUPDATED")
    assert updated > 0, "no update ended: every cut fell into the first one"
