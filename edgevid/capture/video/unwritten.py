"""Detection of pictures that OpenCV reports as decoded and never wrote.

From 4.13 on, OpenCV's FFmpeg cannot convert frames that are flagged as interlaced. It reports
success all the same, and delivers the old content of a buffer of its own. That buffer is out of
reach, but it is allocated with the first picture, and glibc can fill new memory with a known byte.
A picture of that byte alone was never written.

Source: M_PERTURB, https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edgevid.frames import Array

# Two, so that a real picture of one of these grays can be told from memory by the other.
MARKS = (0xAA, 0x55)
_M_PERTURB = -6
# The setting is one per process: another thread would switch it off too early.
_lock = threading.Lock()


@contextmanager
def marked_memory(mark: int) -> Iterator[None]:
    """Fill memory that is allocated in this context with a byte.

    Args:
        mark: One of `MARKS`.

    Yields:
        None. Without glibc the context does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        yield
        return
    with _lock:
        # glibc fills with the complement of the value.
        mallopt(_M_PERTURB, mark ^ 0xFF)
        try:
            yield
        finally:
            mallopt(_M_PERTURB, 0)


def is_unwritten(picture: Array, mark: int) -> bool:
    """Return whether a picture holds the mark and nothing else.

    Args:
        picture: (H, W, C) uint8.
        mark: The byte of `marked_memory` when its buffer was allocated.
    """
    # Almost every picture is told by its first row.
    return bool((picture[:1] == mark).all() and (picture == mark).all())
