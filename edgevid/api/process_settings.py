"""Settings of the whole process that hold while a run is in its loop."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# How long the thread of an output may hold the interpreter's lock while the loop waits for it.
# Python's default of 5 ms is longer than the work for a frame.
_SWITCH_S = 0.0005


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep the objects of the start-up out of garbage collections until the context exits."""
    # Objects of the start-up live until the end. Collections that visited them stopped the loop
    # (13 ms on a server).
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def short_switch_interval() -> Iterator[None]:
    """Let threads of outputs hand the interpreter's lock back sooner, until the context exits."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
