"""Power cuts during updates: after a restart, exactly one valid bundle is in service, the old one or the new one.

Every update has a bundle that was never on the card. The console shows how far each update came, and so
which bundles may be in service after a cut. tests/edgevid/updates makes hundreds of cuts natively; these go
through a real kernel's file system. Updates run in place of systemd (init=), so that a cut at any moment
hits one. Run with `make test-boot`; EDGEVID_CUT_SEED repeats the moments of an earlier run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import re
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgevid import bundle
from tests.boot.conftest import BUNDLE
from tests.boot.machine import Firmware, Machine, overlay
from tests.boot.tools import BUILD

pytestmark = pytest.mark.boot
CUTS = 3
# Updates per boot: the first one is timed, and a later one is cut.
UPDATES = 4
LIMIT_S = 900
SLOTS = "/var/lib/edgevid"
PYTHON = "/opt/edgevid/current/bin/python"
CONFIRM = "import sys, pathlib; from edgevid.updates.slots import Slots; Slots(pathlib.Path(sys.argv[1])).confirm()"
SEED = int(os.environ.get("EDGEVID_CUT_SEED") or random.SystemRandom().randrange(2**32))


@dataclass(frozen=True)
class Bundles:
    """Bundles with the same answers and different bytes.

    Attributes:
        tar: All of them, as a disk.
        digests: Name, as "3.edgevid", to SHA-256.
    """

    tar: Path
    digests: dict[str, str]


@pytest.fixture(scope="module")
def bundles() -> Bundles:
    shipped, digests, tar = bundle.read(BUNDLE), {}, BUILD / "updates.tar"
    with tarfile.open(tar, "w") as archive:
        for number in range(CUTS * UPDATES):
            path = BUILD / f"{number}.edgevid"
            bundle.write(dataclasses.replace(shipped, report={**shipped.report, "note": f"update {number}"}), path)
            digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
            archive.add(path, path.name)
            path.unlink()
    assert len({*digests.values(), hashlib.sha256(BUNDLE.read_bytes()).hexdigest()}) == CUTS * UPDATES + 1
    return Bundles(tar, digests)


def steps(first: int) -> str:
    """Return a script that shows the slots, then updates with new bundles and prints a line at each step."""
    edgevid = f"{PYTHON} -P -m edgevid.cli"
    names = " ".join(f"{number}.edgevid" for number in range(first, first + UPDATES))
    update = (
        f"echo BEGUN $b; {edgevid} activate /mnt/$b && echo ON TRIAL $b && {PYTHON} -c '{CONFIRM}' "
        f"{SLOTS} && echo CONFIRMED $b"
    )
    commands = [
        "mount -t proc proc /proc",
        "mount -t sysfs sys /sys",
        "mount -t tmpfs tmp /tmp",
        "mount -t tmpfs updates /mnt",
        "mount -o remount,rw /",
        "tar -xf /dev/vdb -C /mnt",
        f"{edgevid} slots --json",
        f"sha256sum {SLOTS}/?.edgevid",
        "echo LOOKED",
        f"for b in {names}; do {update}; done",
        "echo OUT OF UPDATES",
        "sleep 600",
    ]
    return f'-c "{"; ".join(commands)}"'


def told(console: str, step: str) -> list[str]:
    """Return the bundles that reached a step, in order. A line that the cut truncated does not count."""
    return re.findall(rf"(?m)^{step} (\d+\.edgevid)\r?\n", console)


def legal(console: str, before: str) -> tuple[set[str], set[str]]:
    """Return the bundles that may be active after a cut, and those that may be in service."""
    begun, tried, confirmed = (told(console, step) for step in ("BEGUN", "ON TRIAL", "CONFIRMED"))
    old = confirmed[-1] if confirmed else before
    new = begun[-1] if begun and begun[-1] != old else old
    in_service = {new} if tried and tried[-1] == new else {old, new}
    # The bundle becomes active after ON TRIAL and before CONFIRMED is printed.
    return ({old, new} if tried and tried[-1] == new else {old}), in_service


def in_service(console: str) -> tuple[str, str]:
    """Return the SHA-256 of the active bundle and of the one in service, and check both against the state."""
    state = json.loads(re.search(r"(?m)^\{\"active\".*$", console)[0])
    whole = {slot: digest for digest, slot in re.findall(rf"(?m)^([0-9a-f]{{64}})\s+{SLOTS}/(.)\.edgevid", console)}
    trial = state.get("trial")
    serving = trial["slot"] if trial else state["active"]
    for slot in {state["active"], serving}:
        assert whole[slot] == state["slots"][slot]["sha256"], f"slot {slot} is not what the state says"
    return whole[state["active"]], whole[serving]


def wait_for_update(machine: Machine, name: str) -> float:
    """Return the seconds from the begin of an update to its confirmation."""
    machine.wait_for(rf"(?m)^BEGUN {name}\r?\n", limit_s=LIMIT_S, every_s=0.1)
    begun_s = time.monotonic()
    machine.wait_for(rf"(?m)^CONFIRMED {name}\r?\n", limit_s=LIMIT_S, every_s=0.1)
    return time.monotonic() - begun_s


def test_a_power_cut_inside_an_update_leaves_the_old_bundle_or_the_new_one(
    card: Path, firmware: Firmware, bundles: Bundles
):
    disk, moments = overlay(card, BUILD / "cuts.qcow2", "2G"), random.Random(SEED)
    print(f"\nmoments of the cuts: EDGEVID_CUT_SEED={SEED}")
    shipped = hashlib.sha256(BUNDLE.read_bytes()).hexdigest()
    digests = {"the shipped one": shipped, **bundles.digests}
    active, serving, inside = {"the shipped one"}, {"the shipped one"}, 0
    for cut in range(CUTS + 1):
        first = cut * UPDATES
        machine = Machine(
            firmware, disk, BUILD / f"cut-{cut}.log", more="init=/bin/sh", arguments=steps(first), beside=bundles.tar
        )
        try:
            machine.wait_for(r"(?m)^LOOKED\r?\n", limit_s=LIMIT_S)
            now_active, now_serving = in_service(machine.text())
            assert now_active in {digests[name] for name in active}
            assert now_serving in {digests[name] for name in serving}
            if cut == CUTS:
                break
            took_s = wait_for_update(machine, f"{first}.edgevid")
            time.sleep(moments.uniform(0, took_s))
        finally:
            machine.cut_power()
        console = machine.text()
        active, serving = legal(console, next(name for name, digest in digests.items() if digest == now_active))
        inside += told(console, "BEGUN")[-1] != told(console, "CONFIRMED")[-1]
        print(
            f"cut {cut + 1} in {told(console, 'BEGUN')[-1]}, an update taking {took_s:.0f} s; legal "
            f"in service: {sorted(serving)}"
        )
    assert inside, "no cut fell inside an update"
