"""Score the events of a stream against its truth, as MLPerf Tiny scores its streaming wake word.

Source: github.com/mlcommons/tiny, benchmark/runner/README.md: a detection counts until 1 s after the end of its
window, and false ones within 1 s are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GRACE_S = DEBOUNCE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A true action of the stream.

    Attributes:
        label: Its label.
        start_s: When it starts, since the first frame.
        end_s: When it ends.
    """

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Detection:
    """An event that the device announced.

    Attributes:
        label: Its label.
        at_s: When the program was told, since the first frame was due.
    """

    label: str
    at_s: float


@dataclass(frozen=True, kw_only=True)
class StreamScore:
    """How the stream was answered.

    Attributes:
        moments: True actions.
        hits: Actions that were announced by 1 s after their end.
        false_alarms: Announcements that belong to no action; several within 1 s count once.
        delays_s: From the start of each action that was hit to its announcement, in order of time.
    """

    moments: int
    hits: int
    false_alarms: int
    delays_s: tuple[float, ...]


def score(moments: Sequence[Moment], detections: Iterable[Detection]) -> StreamScore:
    """Compare what was announced with the truth.

    Args:
        moments: In order of time.
        detections: In order of time.
    """
    first: dict[Moment, float] = {}
    false_s: list[float] = []
    for each in detections:
        fitting = [moment for moment in moments if _fits(each, moment)]
        for moment in fitting:
            first.setdefault(moment, each.at_s)
        if not fitting and not (false_s and each.at_s - false_s[-1] < DEBOUNCE_S):
            false_s.append(each.at_s)
    delays = tuple(round(first[moment] - moment.start_s, 4) for moment in moments if moment in first)
    return StreamScore(moments=len(moments), hits=len(first), false_alarms=len(false_s), delays_s=delays)


def _fits(detection: Detection, moment: Moment) -> bool:
    is_in_time = moment.start_s <= detection.at_s <= moment.end_s + GRACE_S
    return detection.label == moment.label and is_in_time
