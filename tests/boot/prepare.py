"""Prepare the caches of the boot tests: Debian for aarch64, Debian with cameras, and the device's wheels.

    python -m tests.boot.prepare

Does nothing if all three exist. They are made in parallel, because each one mostly waits for the
network or for a single core.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from edgevid.provision import wheels
from edgevid.provision.image import assemble, debian_base, recipe
from tests.boot import tools
from tests.boot.tools import CACHE, environment
from tests.camera import guest


def main() -> None:
    """Make all three and print their times, or exit with the packages to install."""
    missing = tools.missing()
    if missing:
        sys.exit(f"Expected the programs of these tests. Run: apt-get install {' '.join(missing)}")
    if guest.missing_tools():
        sys.exit(guest.missing_tools())
    os.environ.update({name: environment()[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in environment()})
    made_of = recipe.recipe("bookworm")
    steps: dict[str, Callable[[], object]] = {
        "Debian for aarch64": lambda: debian_base.bootstrap(made_of, CACHE, epoch_s=assemble.EPOCH_S),
        "Debian with cameras": guest.image,
        "the device's wheels": lambda: wheels.collect(made_of.python),
    }
    with ThreadPoolExecutor(len(steps)) as pool:
        for done in [pool.submit(_timed, name, make) for name, make in steps.items()]:
            print(done.result(), flush=True)


def _timed(name: str, make: Callable[[], object]) -> str:
    started_s = time.monotonic()
    make()
    return f"{name}: {time.monotonic() - started_s:.0f} s"


if __name__ == "__main__":
    main()
