"""A bundle's passport: a result of the benchmark beside it, which a run on the same kind of board is held to.

`action.passport.json` beside `action.edgevid`, written by `edgevid bench action.edgevid -o action.passport.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevid.bench import files
from edgevid.bench.measuring.machine import measured_machine
from edgevid.bench.result import MeasuredMachine, Result
from edgevid.events.decide import Decision
from edgevid.lane import Lane
from edgevid.outputs.output import QuietOutput
from edgevid.telemetry.telemetry import Telemetry
from edgevid.units import NS_PER_MS

SUFFIX = ".passport.json"
# Other outputs and a paced source cost some; this much more is another board, or a board in trouble.
_TOLERATED = 1.5
# The first answers meet cold caches; this many later ones have a median that stands.
_ANSWERS = 300


def passport_path(bundle: Path) -> Path:
    """Return where the passport of a bundle lies, if it has one."""
    return bundle.with_name(bundle.name.removesuffix(".edgevid") + SUFFIX)


@dataclass(frozen=True, kw_only=True)
class Passport:
    """A result, and the file that it was read from."""

    path: Path
    result: Result


def read_passports(bundles: Sequence[Path], *, root: Path = Path("/")) -> dict[int, Passport]:
    """Read the passports beside bundles that are of a board like this one.

    Args:
        bundles: Their files.
        root: Folder with `sys` and `proc`.

    Returns:
        By the number of the bundle; those without a passport, or with one of another board, are missing.

    Raises:
        ResultInvalid: A passport is no result of the benchmark.
    """
    found = {}
    for number, bundle in enumerate(bundles):
        path = passport_path(bundle)
        if path.is_file():
            result = files.read(path)
            if _is_like(result.machine, measured_machine(root)):
                found[number] = Passport(path=path, result=result)
    return found


class PassportWatch(QuietOutput):
    """Compares the time in the interpreter with a passport, once, after some hundred answers.

    Args:
        passports: As `read_passports` returns them.
        say: Called with a line for each model that is slower.

    Attributes:
        lanes: The lanes of the run, in the order of the bundles; set before the run begins.
    """

    def __init__(self, passports: dict[int, Passport], say: Callable[[str], None]) -> None:
        self.lanes: Sequence[Lane] = ()
        self._passports, self._say = dict(passports), say

    def decided(self, decision: Decision) -> None:
        """Compare as soon as there are enough answers."""
        # A loop over a few numbers; empty once all were compared.
        for number in list(self._passports):
            lane = self.lanes[number]
            if lane.telemetry.decisions >= _ANSWERS:
                passport = self._passports.pop(number)
                line = slower(lane.name, lane.telemetry, passport)
                if line:
                    self._say(line)


def slower(name: str, telemetry: Telemetry, passport: Passport) -> str:
    """Return a line if a run is slower than a passport allows; else an empty text.

    Args:
        name: The model.
        telemetry: Of the run, with answers.
        passport: What the bundle took on such a board.
    """
    stages = passport.result.stages
    promised_ms = sum(stages[each].percentiles["p50"].value for each in ("encode", "head") if each in stages)
    taken_ms = sum(
        float(np.median(samples)) / NS_PER_MS
        for samples in (telemetry.encode.newest(_ANSWERS), telemetry.head.newest(_ANSWERS))
        if len(samples)
    )
    if not promised_ms or taken_ms <= _TOLERATED * promised_ms:
        return ""
    return (
        f"{name} takes {taken_ms:.3f} ms a frame in the interpreter, and {promised_ms:.3f} ms by {passport.path.name}, "
        "measured on such a board. Run edgevid doctor."
    )


def _is_like(one: MeasuredMachine, other: MeasuredMachine) -> bool:
    # A revision of a board is of the same kind.
    boards = [(each.board or "").partition(" Rev ")[0] for each in (one, other)]
    return boards[0] == boards[1] and one.cpu == other.cpu and one.arch == other.arch
