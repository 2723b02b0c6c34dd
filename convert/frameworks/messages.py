"""What a framework's exception says, in one line."""

from __future__ import annotations

import re

LONGEST = 300
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Keras begins with where it was, TensorFlow with whose code it was, before either says what.
_PREAMBLES = ("Exception encountered when calling", "in user code:", "File ", "Traceback")


def reason_of(error: BaseException) -> str:
    """Find the line of an exception's message that says what is wrong.

    Args:
        error: Anything that Keras or TensorFlow raises.

    Returns:
        At most `LONGEST` characters without a line break; the exception's name where it says nothing.
    """
    lines = [line.strip() for line in _COLOR.sub("", str(error)).splitlines()]
    said = [line for line in lines if line and not line.startswith(_PREAMBLES)]
    return said[0][:LONGEST] if said else type(error).__name__
