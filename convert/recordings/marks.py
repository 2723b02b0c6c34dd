"""Marks: what one row of a truth file states, and the rules that the marks of a recording obey."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from edgevid.errors import TruthError

Times = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An event of a recording as a file states it, or the statement that nothing happens in it.

    Attributes:
        video: The recording, in the folder of the recordings.
        label: The class; "" if nothing happens.
        start_s: Start of the event in seconds.
        end_s: End of the event in seconds.
        group: Group of the recording, or "".
        condition: Condition of the recording, or "".
        origin: Place in the file, as in "line 4 of events.csv".
    """

    video: Path
    label: str = ""
    start_s: float = 0.0
    end_s: float = 0.0
    group: str = ""
    condition: str = ""
    origin: str

    @property
    def times(self) -> Times:
        """Start and end in seconds."""
        return self.start_s, self.end_s

    def __str__(self) -> str:
        """Return the event with its origin, as in "'wave' 1.5-3 s in line 2 of events.csv"."""
        what = f"{self.label!r} {self.start_s:g}-{self.end_s:g} s" if self.label else "nothing at all"
        return f"{what} in {self.origin}"


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of a file.

    Attributes:
        marks: In the order of the file.
        notes: What was left out, one line each.
    """

    marks: list[Mark]
    notes: list[str] = field(default_factory=list)


def seconds(number: float) -> float:
    """Return a number of JSON as seconds; an integer beyond all floats is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def check_marks(marks: Sequence[Mark], source: Path) -> None:
    """Reject marks of one recording that contradict each other.

    Args:
        marks: The marks of one recording.
        source: The file that states them.

    Raises:
        TruthError: An event is impossible, two overlap, one is stated twice, or two rows state
            different groups or conditions. The message names both places.
    """
    for mark in marks:
        _check_times(mark, source)
    _check_agreement(marks, source)
    ordered = sorted(marks, key=lambda mark: mark.times)
    for before, after in pairwise(ordered):
        _check_pair(before, after, source)


def _check_times(mark: Mark, source: Path) -> None:
    if not mark.label:
        return
    if not (0 <= mark.start_s < mark.end_s and math.isfinite(mark.end_s)):
        raise TruthError(
            expected="0 <= start_s < end_s in seconds",
            found=f"{mark.start_s:g} and {mark.end_s:g} for {mark.label!r} of {mark.video.name} in {mark.origin}",
            hint="Correct the times." if mark.start_s != mark.end_s else "Mark an event from its begin to its end.",
            path=source,
        )


def _check_agreement(marks: Sequence[Mark], source: Path) -> None:
    """Reject rows of one recording with two groups or conditions: a recording has one of each."""
    for first, mark in pairwise(marks):
        for name in ("group", "condition"):
            mine, other = getattr(mark, name), getattr(first, name)
            if mine != other:
                raise TruthError(
                    expected=f"one {name} for each recording",
                    found=f"{other!r} in {first.origin} and {mine!r} in {mark.origin}, both of {mark.video.name}",
                    hint=f"Write the same {name} in every row of a recording.",
                    path=source,
                )


def _check_pair(before: Mark, after: Mark, source: Path) -> None:
    both = f"{before} and {after}, both of {after.video.name}"
    if (before.label, before.times) == (after.label, after.times):
        raise TruthError(expected="each row once", found=both, hint="Delete one of the two.", path=source)
    if not before.label:
        hint = "Delete the row without an event."
        raise TruthError(expected="events, or one row without any", found=both, hint=hint, path=source)
    if after.start_s < before.end_s:
        raise TruthError(
            expected="events that do not overlap",
            found=both,
            hint="Shorten one, or delete it: a recording shows one class at a time.",
            path=source,
        )
