"""All metrics of events over recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from convert.event_metrics.alarms import (
    Alarms,
    Confusion,
    FalseAlarms,
    confusions,
    count_false_alarms,
    match_recording,
)
from convert.event_metrics.curves import CurvePoint, threshold_curve
from convert.event_metrics.delays import DelayMetrics, measure_delays
from convert.event_metrics.frame_metrics import FrameMetrics, measure_frames
from convert.event_metrics.rates import Rate, hours_more, rate
from convert.event_metrics.segments import (
    Pieces,
    collar_f1,
    edit_score,
    f1_at,
    mean_average_precision,
    pieces,
)
from convert.event_metrics.trace import Answered
from convert.splits.folds import interval
from edgevid.errors import UsageError
from edgevid.events.decide import Decider
from edgevid.events.rule import DecisionRule
from edgevid.events.timeline import TOLERANCE_S

F1_OVERLAPS = (0.1, 0.25, 0.5)
AP_OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """What counts as a hit, and what one wants to promise.

    Attributes:
        tolerance_s: Time by which an event may miss a true one, and still be its hit; 0 or more.
        collar_s: Largest error of a start for `collar_f1`, above 0.
        max_false_per_hour: False alarms an hour that one wants to promise, above 0.
    """

    tolerance_s: float = TOLERANCE_S
    collar_s: float = 0.5
    max_false_per_hour: float = 1.0

    def __post_init__(self) -> None:
        UsageError.unless(0 <= self.tolerance_s < 3600, expected="a tolerance of 0 to 3600 s", got=self.tolerance_s)
        UsageError.unless(0 < self.collar_s < 3600, expected="a collar above 0, to 3600 s", got=self.collar_s)
        UsageError.unless(
            0 < self.max_false_per_hour < 1e6,
            expected="false alarms an hour above 0 to promise",
            got=self.max_false_per_hour,
        )


@dataclass(frozen=True, slots=True)
class Recall:
    """Share of the true events that were found.

    Attributes:
        hits: True events with an event.
        misses: True events without.
        share: Their share; None without true events.
        low: Lower end of its 95 % interval (Wilson), with the events taken for independent.
        high: Its upper end.
    """

    hits: int
    misses: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class LabelMetrics:
    """Metrics of one class.

    Attributes:
        label: The class.
        recall: Hits and misses.
        false_alarms: Its false alarms by kind.
        false_per_hour: Their rate.
        f1_50: F1 of events that overlap a true one by half.
    """

    label: str
    recall: Recall
    false_alarms: FalseAlarms
    false_per_hour: Rate
    f1_50: float


@dataclass(frozen=True, kw_only=True)
class PartMetrics:
    """Metrics of the recordings of one group or condition.

    Attributes:
        name: The group or condition.
        recordings: How many there are.
        recall: Hits and misses.
        false_per_hour: Rate of false alarms.
        f1_50: F1 of events that overlap a true one by half.
    """

    name: str
    recordings: int
    recall: Recall
    false_per_hour: Rate
    f1_50: float


@dataclass(frozen=True, kw_only=True)
class EventMetrics:
    """How well events fit the truth.

    Attributes:
        recordings: Number of recordings.
        hours: Their length.
        recall: Hits and misses.
        false_alarms: False alarms by kind.
        false_per_hour: Their rate.
        promise_per_hour: The rate that one wants to promise.
        hours_to_promise: How much longer one has to look to promise it, if false alarms go on as
            they did; 0 if it holds, None if it does not.
        f1: F1 of events by least overlap, 0.1, 0.25 and 0.5.
        average_precision: Mean average precision of events by least overlap, 0.1 to 0.7; values are
            None without true events.
        mean_average_precision: Mean of those.
        edit: Edit score of the order of events.
        collar_f1: F1 of events whose start and end are near those of the truth.
        pieces: Fragments and merges.
        delay: Delay of the hits; None without any.
        frames: Metrics of single answers.
        labels: A row for each class besides background.
        confusions: What was said while something else happened.
        groups: A row for each group, the worst first; empty for one group.
        conditions: A row for each condition, the worst first; empty for one condition.
        curve: What other thresholds would give.
    """

    recordings: int
    hours: float
    recall: Recall
    false_alarms: FalseAlarms
    false_per_hour: Rate
    promise_per_hour: float
    hours_to_promise: float | None
    f1: Mapping[str, float]
    average_precision: Mapping[str, float | None]
    mean_average_precision: float | None
    edit: float
    collar_f1: float
    pieces: Pieces
    delay: DelayMetrics | None
    frames: FrameMetrics
    labels: tuple[LabelMetrics, ...]
    confusions: tuple[Confusion, ...]
    groups: tuple[PartMetrics, ...]
    conditions: tuple[PartMetrics, ...]
    curve: tuple[CurvePoint, ...]


def measure(
    recordings: Sequence[Answered],
    labels: Sequence[str],
    rule: DecisionRule,
    decider: Callable[[DecisionRule], Decider],
    *,
    options: MeasureOptions,
) -> EventMetrics:
    """Compute all metrics.

    Args:
        recordings: At least one, with scores and the events of the rule.
        labels: Classes of the model, in the order of the scores.
        rule: The rule that made the events.
        decider: Returns a new decider for a rule.
        options: What counts as a hit.
    """
    matched = [match_recording(each, tolerance_s=options.tolerance_s) for each in recordings]
    hours = sum(each.trace.duration_s for each in recordings) / 3600
    false_alarms = count_false_alarms(matched)
    precisions = {f"{overlap:g}": mean_average_precision(recordings, overlap) for overlap in AP_OVERLAPS}
    known = [each for each in precisions.values() if each is not None]
    return EventMetrics(
        recordings=len(recordings),
        hours=hours,
        recall=_recall(matched),
        false_alarms=false_alarms,
        false_per_hour=rate(false_alarms.count, hours),
        promise_per_hour=options.max_false_per_hour,
        hours_to_promise=hours_more(false_alarms.count, hours, options.max_false_per_hour),
        f1={f"{overlap:g}": f1_at(recordings, overlap) for overlap in F1_OVERLAPS},
        average_precision=precisions,
        mean_average_precision=sum(known) / len(known) if known else None,
        edit=edit_score(recordings),
        collar_f1=collar_f1(recordings, options.collar_s),
        pieces=pieces(recordings),
        delay=measure_delays(recordings, matched, labels, rule, decider),
        frames=measure_frames(recordings, labels, rule.background),
        labels=tuple(
            _label_metrics(label, recordings, matched, hours) for label in labels if label not in rule.background
        ),
        confusions=confusions(matched),
        groups=_parts(recordings, matched, [each.group for each in recordings]),
        conditions=_parts(recordings, matched, [each.condition for each in recordings]),
        curve=threshold_curve(recordings, rule, decider, tolerance_s=options.tolerance_s),
    )


def _recall(matched: Sequence[Alarms], label: str | None = None) -> Recall:
    hits = sum(label in (None, real.label) for alarms in matched for real, _ in alarms.score.matched)
    misses = sum(label in (None, real.label) for alarms in matched for real in alarms.score.missed)
    if hits + misses == 0:
        return Recall(0, 0, None, 0.0, 1.0)
    return Recall(hits, misses, hits / (hits + misses), *interval(hits, hits + misses))


def _label_metrics(label: str, recordings: Sequence[Answered], matched: Sequence[Alarms], hours: float) -> LabelMetrics:
    false_alarms = count_false_alarms(matched, label=label)
    return LabelMetrics(
        label=label,
        recall=_recall(matched, label),
        false_alarms=false_alarms,
        false_per_hour=rate(false_alarms.count, hours),
        f1_50=f1_at(recordings, 0.5, label=label),
    )


def _parts(recordings: Sequence[Answered], matched: Sequence[Alarms], names: Sequence[str]) -> tuple[PartMetrics, ...]:
    if len(set(names)) < 2:
        return ()
    rows = [_part(name, recordings, matched, names) for name in sorted(set(names))]
    return tuple(sorted(rows, key=lambda row: row.f1_50))


def _part(name: str, recordings: Sequence[Answered], matched: Sequence[Alarms], names: Sequence[str]) -> PartMetrics:
    inside = [index for index, each in enumerate(names) if each == name]
    own, alarms = [recordings[index] for index in inside], [matched[index] for index in inside]
    hours = sum(each.trace.duration_s for each in own) / 3600
    return PartMetrics(
        name=name,
        recordings=len(own),
        recall=_recall(alarms),
        false_per_hour=rate(count_false_alarms(alarms).count, hours),
        f1_50=f1_at(own, 0.5),
    )
