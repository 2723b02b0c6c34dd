"""Compares peers with edgevid: ratios within the same round, their interval, and the word for it.

The ratios are of the processor's time. A window of milliseconds is interrupted by other programs more often than a
decision of microseconds, and its wall-clock time then says as much about them as about the peer.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.peers.catalog import FLOOR, REFERENCES, Peer
from benchmarks.peers.rounds import Runs

# Half-width of what counts as level: less than what another process on the machine does to one round.
LEVEL = 0.02
_KB = 1000.0


def interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Return the geometric mean of the ratios and its 95 % interval over rounds.

    Args:
        ratios: One a round, above 0. Rounds are processes of their own, so they are the unit; the interval is
            Student's, of the logarithms.
    """
    from scipy import stats

    logs = np.log(ratios)
    middle = float(logs.mean())
    if len(logs) < 2:
        return math.exp(middle), 0.0, math.inf
    half = float(stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def word(low: float, high: float) -> str:
    """Return where edgevid is: "ahead", "behind", "level", or "unclear" if the interval allows more than one.

    Args:
        low: Lower end of the interval of the peer's time over edgevid's.
        high: Upper end.
    """
    if low > 1.0 + LEVEL:
        return "ahead"
    if high < 1.0 - LEVEL:
        return "behind"
    return "level" if low >= 1.0 - LEVEL and high <= 1.0 + LEVEL else "unclear"


def agreement(answers: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> float | None:
    """Return the share of windows on which a peer names the same class as Keras; None without answers."""
    if len(answers) != len(reference):
        return None
    return float(np.mean(np.argmax(answers, axis=1) == np.argmax(reference, axis=1)))


def numbers(
    found: Mapping[str, Runs], peers: Sequence[Peer], reference: Sequence[Sequence[float]]
) -> dict[str, dict[str, Any]]:
    """Return what the results file holds of each peer.

    Args:
        found: The reports by name.
        peers: The peers; each is compared with the edgevid of its precision.
        reference: The scores of Keras.
    """
    nothing = Runs()
    return {
        peer.name: _row(found[peer.name], found.get(REFERENCES[peer.precision], nothing), reference) for peer in peers
    }


def over_floor(found: Mapping[str, Runs], name: str) -> dict[str, float | None] | None:
    """Return a peer's time over that of the bare interpreter in the same rounds; None if one of them did not run."""
    both = [found[each].cpu_us if each in found else {} for each in (name, FLOOR)]
    ratios = [both[0][each] / both[1][each] for each in set(both[0]) & set(both[1])]
    if not ratios:
        return None
    middle, low, high = interval(ratios)
    return {"times": round(middle, 3), "low": round(low, 3), "high": _finite(high)}


def _row(runs: Runs, ours: Runs, reference: Sequence[Sequence[float]]) -> dict[str, Any]:
    if runs.reason or not runs.cpu_us:
        return {"reason": runs.reason or "it did not run"}
    common = sorted(set(runs.cpu_us) & set(ours.cpu_us))
    row: dict[str, Any] = {
        "wall_us": round(statistics.median(runs.wall_us.values()), 1),
        "cpu_us": round(statistics.median(runs.cpu_us.values()), 1),
        "peak_mib": round(statistics.median(runs.peak_mib), 1),
        "start_ms": round(statistics.median(runs.start_ms), 1) if runs.start_ms else None,
        "kb": round(runs.bytes / _KB, 1),
        "agreement": agreement(runs.answers, reference) if runs.answers else None,
        "rounds": len(runs.cpu_us),
    }
    if common:
        middle, low, high = interval([runs.cpu_us[each] / ours.cpu_us[each] for each in common])
        row |= {"times": round(middle, 3), "low": round(low, 3), "high": _finite(high), "edgevid_is": word(low, high)}
    return row


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
