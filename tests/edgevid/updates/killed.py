"""Kill a process with SIGKILL while it changes a device's slots, and check what is left each time.

    python -m tests.edgevid.updates.killed FOLDER KILLS SEED

FOLDER holds `1.edgevid` to `4.edgevid` and an empty `slots`. Each child activates, starts, confirms
and rolls back at random, and dies at a random step: before an fsync or a rename, or halfway through
a write. The script prints one JSON object: how often each step was the last, and how often each
bundle was in service afterwards. It fails if no readable bundle is in service.
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import sys
from pathlib import Path

from edgevid import atomic, bundle
from edgevid.errors import SlotsError
from edgevid.updates.slots import Slots


class Death:
    """Counts the steps of this process and ends it at one of them."""

    def __init__(self, at: int, report: int) -> None:
        self.at, self.report, self.steps = at, report, 0
        self.write, self.fsync, self.replace, self.unlink = os.write, os.fsync, os.replace, os.unlink

    def install(self) -> None:
        os.write = self._write
        os.fsync = lambda handle: (self._step("fsync"), self.fsync(handle))[1]
        os.replace = lambda old, new: (self._step("rename"), self.replace(old, new), self._step("after rename"))[1]

    def _write(self, handle: int, data: bytes) -> int:
        self._step("write", handle, data)
        return self.write(handle, data)

    def _step(self, name: str, handle: int = -1, data: bytes = b"") -> None:
        self.steps += 1
        if self.steps == self.at:
            if data:
                self.write(handle, data[: len(data) // 2])
            self.write(self.report, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, seed: int) -> None:
    """Change the slots at random, for ever."""
    dice, slots = random.Random(seed), Slots(folder / "slots", check)
    while True:
        name = dice.choice(["activate", "activate", "begin", "confirm", "rollback"])
        try:
            if name == "activate":
                slots.activate(folder / f"{dice.randint(1, 4)}.edgevid")
            else:
                getattr(slots, name)()
        except SlotsError:
            continue


def check(path: Path) -> None:
    bundle.read(path)


def die(folder: Path, at: int, seed: int) -> str:
    """Run one process that dies at a step; return the name of the step."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        Death(at, writer).install()
        live(folder, seed)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as report:
        name = report.read().decode()
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    return name


def main() -> None:
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    atomic.CHUNK_BYTES = 1500  # several writes a bundle
    Slots(folder / "slots", check).activate(folder / "1.edgevid")
    dice = random.Random(seed)
    steps, survivors = collections.Counter[str](), collections.Counter[str]()
    for each in range(kills):
        steps[die(folder, dice.randint(1, 60), seed + each)] += 1
        survivors[bundle.read(Slots(folder / "slots").current()).manifest.name] += 1
    print(
        json.dumps(
            {"steps": steps, "survivors": survivors, "left": sorted(path.name for path in (folder / "slots").iterdir())}
        )
    )


if __name__ == "__main__":
    main()
