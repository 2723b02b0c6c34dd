"""Shorten a framework's exception to one line."""

from __future__ import annotations

import re

LONGEST = 300
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Keras starts with the layer and TensorFlow with the user's code; the reason comes after these lines.
_PREAMBLES = ("Exception encountered when calling", "in user code:", "File ", "Traceback")


def reason_of(error: BaseException) -> str:
    """Return the line of an exception's message that states the reason.

    Args:
        error: Any exception of Keras or TensorFlow.

    Returns:
        At most `LONGEST` characters without a line break; the exception's class name if the message is empty.
    """
    lines = [line.strip() for line in _COLOR.sub("", str(error)).splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_PREAMBLES)]
    # A line that ends in a colon introduces the next one.
    first = " ".join(reasons[: 2 if reasons and reasons[0].endswith(":") else 1])
    return first[:LONGEST] if first else type(error).__name__
