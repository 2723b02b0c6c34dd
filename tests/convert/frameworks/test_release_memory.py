"""Memory that nobody needs goes back to the system, because a conversion is two processes that are large in turn."""

import gc
import sys
from pathlib import Path

import pytest

from convert.frameworks import release_memory

MIB = 2**20


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Knot:
    """Refers to itself, so that only the collector of garbage frees it."""

    def __init__(self, kept):
        self.blocks = []
        for _ in range(2048):
            # Of a size that glibc keeps when it is freed between others that are not, as TensorFlow's
            # messages are.
            self.blocks.append(bytearray(64 * 1024))
            kept.append(bytearray(1024))
        self.itself = self


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_garbage_of_a_large_process_goes_back_to_the_system(monkeypatch):
    monkeypatch.setattr(release_memory, "_LARGE_KIB", 1)
    release_memory.give_back()  # what other tests left would be used again, and hide what this one takes
    kept = []
    gc.disable()
    try:
        before = resident_bytes()
        Knot(kept)
        held = resident_bytes()
        monkeypatch.setattr(release_memory, "_LARGE_KIB", 2**40)
        release_memory.give_back()
        left_alone = resident_bytes()
        monkeypatch.setattr(release_memory, "_LARGE_KIB", 1)
        release_memory.give_back()
    finally:
        gc.enable()
    assert held - before > 100 * MIB
    assert left_alone > before + 100 * MIB  # a process that was never large does not wait for this
    assert resident_bytes() < before + 40 * MIB
