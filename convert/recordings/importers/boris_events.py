"""Events from the moments that BORIS records: a state begins with one, and ends with the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from convert.recordings.importers.options import ImportOptions
from convert.recordings.marks import Mark
from edgevid.errors import TruthError


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment at which a behavior begins, ends, or occurs.

    Attributes:
        video: The recording.
        subject: Who shows the behavior. Those of two subjects begin and end on their own.
        label: The behavior.
        time_s: When.
        status: "START", "STOP" or "POINT"; "" for a change of state, as projects record it.
        origin: Place in the file.
    """

    video: Path
    subject: str
    label: str
    time_s: float
    status: str
    origin: str


def pair(moments: Iterable[Moment], options: ImportOptions, source: Path) -> Iterator[Mark]:
    """Yield the events between moments.

    Args:
        moments: The moments of a file, in any order.
        options: States the length of points.
        source: The file, for errors.

    Raises:
        TruthError: A begin has no end, or an end no begin.
    """
    begun: dict[tuple[Path, str, str], Moment] = {}
    # Sorting keeps the order of the file where two moments coincide.
    for moment in sorted(moments, key=lambda each: each.time_s):
        key = (moment.video, moment.subject, moment.label)
        if moment.status == "POINT":
            yield _mark(moment, moment.time_s, options.end_of_point(moment.time_s, moment.origin))
        elif moment.status == "STOP" or (not moment.status and key in begun):
            if key not in begun:
                raise _unpaired("START", "STOP", moment, source)
            yield _mark(moment, begun.pop(key).time_s, moment.time_s)
        elif key in begun:
            raise _unpaired("STOP", "START", begun[key], source)
        else:
            begun[key] = moment
    for moment in begun.values():
        raise _unpaired("STOP", "START", moment, source)


def _mark(moment: Moment, start_s: float, end_s: float) -> Mark:
    return Mark(video=moment.video, label=moment.label, start_s=start_s, end_s=end_s, origin=moment.origin)


def _unpaired(missing: str, there: str, moment: Moment, source: Path) -> TruthError:
    return TruthError(
        expected=f"a {missing} for each {there}",
        found=f"none for {moment.label!r} at {moment.time_s:g} s in {moment.origin}",
        hint="Correct the observation in BORIS, and export again.",
        path=source,
    )
