"""Starts in fresh processes: warm, and cold where the kernel's caches can be dropped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgevid.bench.figures import Start
from edgevid.inference.startup_cost import measure

# Source: Documentation/admin-guide/sysctl/vm.rst: 3 drops the page cache, dentries and inodes.
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def measure_starts(
    path: Path, *, count: int, threads: int, may_drop_caches: bool, say: Callable[[str], None] = lambda _text: None
) -> tuple[list[Start], float | None]:
    """Measure starts.

    Args:
        path: The bundle.
        count: Warm starts, and as many cold ones if the kernel lets this process drop its caches.
        threads: Interpreter threads.
        may_drop_caches: Whether to try: all programs of the machine are slower for a moment.
        say: Called with a line of progress.

    Returns:
        The starts, and the resident memory after the imports in MiB, if the kernel reports it.
    """
    starts, imported_mib = [], None
    for index in range(count):
        say(f"start {index + 1} of {count}")
        for is_cold in (True, False):
            if is_cold and not (may_drop_caches and _drop_caches()):
                continue
            found = measure(path, threads=threads)
            imported_mib = found.import_rss_mib
            starts.append(
                Start(
                    is_cold=is_cold,
                    import_ms=found.import_ms,
                    load_ms=found.load_ms,
                    first_decision_ms=found.first_decision_ms,
                )
            )
    return starts, imported_mib


def _drop_caches() -> bool:
    """Drop the kernel's caches; return whether it did."""
    try:
        os.sync()
        _DROP_CACHES.write_text("3")
    except OSError:
        return False
    return True
