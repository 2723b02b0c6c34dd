"""How well events lie where they happened: overlap, order, pieces.

- `f1_at`: Lea et al., "Temporal convolutional networks for action segmentation and detection", CVPR 2017.
- `mean_average_precision`: the protocol of ActivityNet (Caba Heilbron et al., CVPR 2015), at one
  threshold of overlap; also that of THUMOS14.
- `edit_score`: Lea et al., "Segmental spatiotemporal CNNs for fine-grained action segmentation", ECCV 2016.
- `pieces`: Ward, Lukowicz and Gellersen, "Performance metrics for activity
  recognition", ACM TIST 2 (2011).
- `collar_f1`: Mesaros, Heittola and Virtanen, "Metrics for polyphonic sound event detection",
  Applied Sciences 6 (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from convert.event_metrics.trace import Answered
from edgevid.events.decide import Event
from edgevid.events.timeline import Interval, iou, overlap_s, overlapping
from edgevid.frames import Array

Kind = TypeVar("Kind", bound=Interval)
# Share of a true event's length by which the end of an event may be off, where that is more than
# the collar.
_END_SHARE = 0.5


def f1_at(recordings: Sequence[Answered], threshold: float, *, label: str | None = None) -> float:
    """Return the F1 of events that overlap the truth enough.

    An event counts if its best true event of the same label overlaps it by the threshold and has no
    event yet.

    Args:
        recordings: Recordings with events.
        threshold: Least intersection over union, above 0, to 1.
        label: Only events of this label; None for all.

    Returns:
        0 to 1; 1 if there is neither truth nor an event.
    """
    right = wrong = missed = 0
    for each in recordings:
        truth, events = _of(each.truth, label), _of(each.events, label)
        found = overlapping(events, truth, threshold)
        right, wrong, missed = right + found, wrong + len(events) - found, missed + len(truth) - found
    counted = 2 * right + wrong + missed
    return 2 * right / counted if counted else 1.0


def _of(intervals: Sequence[Kind], label: str | None) -> list[Kind]:
    return [each for each in intervals if label in (None, each.label)]


def mean_average_precision(recordings: Sequence[Answered], threshold: float) -> float | None:
    """Return the mean over the classes of the average precision of events, ordered by score.

    Args:
        recordings: Recordings with events.
        threshold: Least intersection over union, above 0, to 1.

    Returns:
        0 to 1; None without any true event.
    """
    labels = sorted({real.label for each in recordings for real in each.truth})
    return float(np.mean([_average_precision(recordings, label, threshold) for label in labels])) if labels else None


def _average_precision(recordings: Sequence[Answered], label: str, threshold: float) -> float:
    truth = [_of(each.truth, label) for each in recordings]
    ranked = [(event, index) for index, each in enumerate(recordings) for event in _of(each.events, label)]
    ranked.sort(key=lambda pair: -pair[0].score)
    taken: set[tuple[int, int]] = set()
    is_right = np.zeros(len(ranked), bool)
    for rank, (event, index) in enumerate(ranked):
        overlaps = [iou(event, real) for real in truth[index]]
        for place in sorted(range(len(overlaps)), key=lambda each: -overlaps[each]):
            if overlaps[place] >= threshold and (index, place) not in taken:
                taken.add((index, place))
                is_right[rank] = True
                break
    return _area(is_right, sum(map(len, truth)))


def _area(is_right: Array, positives: int) -> float:
    """Return the area under precision over recall, with precision made to fall."""
    right = np.cumsum(is_right)
    recall = np.concatenate([[0.0], right / positives, [1.0]])
    precision = np.concatenate([[0.0], right / np.arange(1, len(right) + 1), [0.0]])
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    rises = np.flatnonzero(np.diff(recall)) + 1
    return float(np.sum((recall[rises] - recall[rises - 1]) * falling[rises]))


def edit_score(recordings: Sequence[Answered]) -> float:
    """Return how well the order of the events fits, without regard to their times.

    Returns:
        Mean over the recordings of 1 - d / n: d is the Levenshtein distance of the labels in
        order, n the length of the longer list. 1 for a recording without truth and events.
    """
    return float(
        np.mean([_edit([real.label for real in each.truth], [one.label for one in each.events]) for each in recordings])
    )


def _edit(truth: Sequence[str], events: Sequence[str]) -> float:
    if not truth and not events:
        return 1.0
    row = list(range(len(events) + 1))
    for count, real in enumerate(truth, start=1):
        before, row[0] = row[0], count
        for place, event in enumerate(events, start=1):
            cost = min(row[place] + 1, row[place - 1] + 1, before + (real != event))
            before, row[place] = row[place], cost
    return 1 - row[-1] / max(len(truth), len(events))


@dataclass(frozen=True, slots=True)
class Pieces:
    """True events in several pieces, and events that join several.

    Attributes:
        fragments: True events that several events of their label overlap.
        merges: Events that overlap several true events of their label.
    """

    fragments: int
    merges: int


def pieces(recordings: Sequence[Answered]) -> Pieces:
    """Count fragments and merges."""
    fragments = sum(_covered(real, each.events) > 1 for each in recordings for real in each.truth)
    merges = sum(_covered(event, each.truth) > 1 for each in recordings for event in each.events)
    return Pieces(fragments, merges)


def _covered(one: Interval, others: Sequence[Interval]) -> int:
    return sum(other.label == one.label and overlap_s(one, other) > 0 for other in others)


def collar_f1(recordings: Sequence[Answered], collar_s: float) -> float:
    """Return the F1 of events whose start and end are near those of the truth.

    The start may be off by the collar, the end by the collar or half of the true event's length,
    whichever is more. As many pairs as possible are formed.

    Args:
        recordings: Recordings with events.
        collar_s: Largest distance in seconds.

    Returns:
        0 to 1; 1 if there is neither truth nor an event.
    """
    pairs = sum(_pairs(each.events, each.truth, collar_s) for each in recordings)
    counted = sum(len(each.events) + len(each.truth) for each in recordings)
    return 2 * pairs / counted if counted else 1.0


def _pairs(events: Sequence[Event], truth: Sequence[Interval], collar_s: float) -> int:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if not events or not truth:
        return 0
    near = [[_is_near(event, real, collar_s) for real in truth] for event in events]
    return int((maximum_bipartite_matching(csr_array(np.array(near, np.int8)), perm_type="column") >= 0).sum())


def _is_near(event: Event, real: Interval, collar_s: float) -> bool:
    end_s = max(collar_s, _END_SHARE * (real.end_s - real.start_s))
    return (
        event.label == real.label
        and abs(event.start_s - real.start_s) <= collar_s
        and abs(event.end_s - real.end_s) <= end_s
    )
