"""Waiting: for a cool board before a measurement, and for figures that are precise enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edgevid.bench.stages import stage_statistics
from edgevid.board.state import read_state
from edgevid.errors import UsageError
from edgevid.frames import Array
from edgevid.telemetry.telemetry import STAGES

# Half of the interval of the median, as a share of it.
_STABLE = 0.01
_LOOK_EVERY_S, _LONGEST_S = 2.0, 1800.0


def is_stable(runs: Sequence[Array]) -> bool:
    """Return whether the median's 95 % interval is within 1 % of it.

    Args:
        runs: Stored times of each process, (N, stages) int64 in ns.
    """
    total = stage_statistics(runs, dict.fromkeys(STAGES, 0), window=1).get("total")
    if total is None:
        return False
    p50 = total.percentiles["p50"]
    if p50.low is None or p50.high is None or not p50.value:
        return False
    return bool(np.maximum(p50.high - p50.value, p50.value - p50.low) <= _STABLE * p50.value)


def cool_down(
    to_c: float,
    *,
    root: Path = Path("/"),
    say: Callable[[str], None] = lambda _text: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the chip is as cool as a temperature, at most half an hour.

    Args:
        to_c: The temperature in °C.
        root: Folder with `sys`.
        say: Called with a line of progress.
        sleep: Waits for a time in seconds.

    Raises:
        UsageError: The machine reports no temperature, or does not become so cool.
    """
    for _ in range(round(_LONGEST_S / _LOOK_EVERY_S)):
        found_c = read_state(root, ask_firmware=False).temperature_c
        if found_c is None:
            raise UsageError(expected="a machine that reports its temperature for --cool-to", found="none")
        if found_c <= to_c:
            return
        say(f"cooling from {found_c:.1f} to {to_c:.1f} °C")
        sleep(_LOOK_EVERY_S)
    raise UsageError(
        expected=f"the chip to cool to {to_c:g} °C within {_LONGEST_S / 60:.0f} minutes",
        found=f"{found_c:.1f} °C",
        hint="Cool it, or name a higher temperature.",
    )
