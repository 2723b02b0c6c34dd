"""Memory that nobody needs any more, given back to the system.

Writing a network of 100 MB as a SavedModel leaves 1.6 GB behind (TensorFlow 2.21, ResNet50): messages that refer to each other in circles, which Python frees
when it gets to it, and blocks that glibc keeps for later. The other process of a conversion needs them now.
"""

from __future__ import annotations

import ctypes
import gc
import resource

# A process that was never above this has little to give, and looking for it takes a third of a second.
_LARGE_KIB = 2**20


def give_back() -> None:
    """Free what is garbage, and let the allocator return what is free, where the process was ever large and the system is one with glibc."""
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < _LARGE_KIB:
        return
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
