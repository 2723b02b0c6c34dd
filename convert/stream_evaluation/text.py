"""Metrics of events as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convert.event_metrics import Answered, EventMetrics
from convert.event_metrics.measure import PartMetrics, Recall
from convert.event_metrics.rates import Rate
from convert.stream_evaluation.evaluate import StreamEvaluation
from edgevid.schema import to_json
from edgevid.tables import table

_CONFUSIONS_SHOWN = 8


def evaluation_text(result: StreamEvaluation) -> str:
    """Return the metrics for people, without a final newline."""
    metrics = result.metrics
    blocks = [
        "\n".join([verdict(metrics), promise(metrics), *delay_lines(metrics), placement(metrics)]),
        table(label_rows(metrics)),
        table(confusion_rows(metrics)) if metrics.confusions else "",
        *(table(part_rows(name, parts)) for name, parts in named_parts(metrics)),
        table(pace_rows(result)) if result.paces else "",
    ]
    return "\n\n".join(block for block in blocks if block)


def evaluation_json(result: StreamEvaluation) -> dict[str, Any]:
    """Return the metrics, truth and events, as `json.dumps` accepts them."""
    return {
        **to_json(result.metrics),
        "paces": {str(level): to_json(metrics) for level, metrics in result.paces.items()},
        "notes": list(result.notes),
        "rule": to_json(result.model.rule),
        "per_recording": [_recording(each) for each in result.recordings],
    }


def verdict(metrics: EventMetrics) -> str:
    """Return what was found and what was said in vain, in one line."""
    recall, rate = metrics.recall, metrics.false_per_hour
    found = (
        f"Found {recall.hits} of {recall.hits + recall.misses} events ({recall_text(recall)})"
        if recall.share is not None
        else "No true events"
    )
    alarms = metrics.false_alarms
    kinds = f"{alarms.spurious} spurious, {alarms.other_class} of another class, {alarms.duplicates} duplicates"
    count = f"{rate.count} false alarm{'' if rate.count == 1 else 's'} in {metrics.hours:.2f} h"
    return f"{found}. {count}: {rate_text(rate)}" + (f"; {kinds}." if rate.count else ".")


def promise(metrics: EventMetrics) -> str:
    """Return how sure the rate of false alarms is, in one line."""
    limit, more = f"{metrics.promise_per_hour:g} an hour", metrics.hours_to_promise
    if more == 0.0:
        return f"At most {limit} is sure at 95 %."
    if more is None and metrics.false_per_hour.per_hour < metrics.promise_per_hour:
        return f"At most {limit} would take more than 10 000 h to be sure of, if they go on like this."
    if more is None:
        return f"At most {limit} would never be sure, if they go on like this. Try: edgevid calibrate"
    return f"At most {limit} would be sure at 95 % after {more:.1f} h more, if they go on like this."


def delay_lines(metrics: EventMetrics) -> list[str]:
    """Return how late events are announced, and why; nothing without hits."""
    delay = metrics.delay
    if delay is None:
        return []
    return [
        f"Announced {delay.p50_s:.2f} s after the true start (median; nine of ten within {delay.p90_s:.2f} s, "
        f"{delay.within_1_s:.0%} within 1 s): model {delay.model_s:.2f} s, smoothing {delay.smoothing_s:.2f} s, "
        f"shortest duration {delay.min_duration_s:.2f} s.",
        f"Stated starts are {delay.start_error_s:+.2f} s off, stated ends {delay.end_error_s:+.2f} s (mean).",
    ]


def placement(metrics: EventMetrics) -> str:
    """Return how well events lie where they happened, and what single answers are worth, in two lines."""
    f1 = "/".join(f"{metrics.f1[key]:.3f}" for key in ("0.1", "0.25", "0.5"))
    mean_ap, frames = metrics.mean_average_precision, metrics.frames
    ap = "" if mean_ap is None else f", mAP at overlaps of 0.1 to 0.7 {mean_ap:.3f}"
    pieces = f"{metrics.pieces.fragments} in fragments, {metrics.pieces.merges} merged"
    single = "" if frames.accuracy is None else f"accuracy {frames.accuracy:.3f}, "
    single += "no class occurs" if frames.mean_average_precision is None else f"mAP {frames.mean_average_precision:.3f}"
    return (
        f"F1@10/25/50 {f1}{ap}, edit {metrics.edit:.3f}; {pieces}.\n"
        f"Single answers, at the time of their newest frame: {single} ({frames.answers} answers)."
    )


def label_rows(metrics: EventMetrics) -> list[tuple[str, ...]]:
    """Return a heading and a row for each class."""
    heading: tuple[str, ...] = (
        "class",
        "events",
        "found",
        "recall (95 %)",
        "false",
        "spurious",
        "other",
        "twice",
        "an hour",
        "F1@50",
    )
    return [heading] + [
        (
            row.label,
            str(row.recall.hits + row.recall.misses),
            str(row.recall.hits),
            recall_text(row.recall),
            str(row.false_alarms.count),
            str(row.false_alarms.spurious),
            str(row.false_alarms.other_class),
            str(row.false_alarms.duplicates),
            rate_text(row.false_per_hour, unit=""),
            f"{row.f1_50:.3f}",
        )
        for row in metrics.labels
    ]


def part_rows(name: str, parts: Sequence[PartMetrics]) -> list[tuple[str, ...]]:
    """Return a heading and a row for each group or condition.

    Args:
        name: "group" or "condition".
        parts: The rows.
    """
    heading: tuple[str, ...] = (name, "recordings", "events", "found", "recall (95 %)", "false", "an hour", "F1@50")
    return [heading] + [
        (
            row.name or "(none)",
            str(row.recordings),
            str(row.recall.hits + row.recall.misses),
            str(row.recall.hits),
            recall_text(row.recall),
            str(row.false_per_hour.count),
            rate_text(row.false_per_hour, unit=""),
            f"{row.f1_50:.3f}",
        )
        for row in parts
    ]


def pace_rows(result: StreamEvaluation) -> list[tuple[str, ...]]:
    """Return a heading and a row for each pace level, the full one first."""
    levels = {0: result.metrics, **result.paces}
    heading: tuple[str, ...] = ("pace level", "found", "false an hour", "announced after s", "F1@50")
    return [heading] + [
        (
            str(level),
            f"{each.recall.hits} of {each.recall.hits + each.recall.misses}",
            rate_text(each.false_per_hour, unit=""),
            "" if each.delay is None else f"{each.delay.p50_s:.2f}",
            f"{each.f1['0.5']:.3f}",
        )
        for level, each in levels.items()
    ]


def rate_text(rate: Rate, *, unit: str = " an hour") -> str:
    """Return a rate with its interval, such as "0.5 an hour (0.1 to 1.8)"."""
    return f"{_short(rate.per_hour)}{unit} ({_short(rate.low)} to {_short(rate.high)})"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def recall_text(recall: Recall) -> str:
    """Return a recall with its interval, such as "0.913, 0.73 to 0.98"; nothing without true events."""
    return "" if recall.share is None else f"{recall.share:.3f}, {recall.low:.2f} to {recall.high:.2f}"


def confusion_rows(metrics: EventMetrics) -> list[tuple[str, ...]]:
    """Return a heading and the most frequent confusions."""
    shown = metrics.confusions[:_CONFUSIONS_SHOWN]
    return [("happened", "said", "times"), *((each.truth, each.event, str(each.count)) for each in shown)]


def named_parts(metrics: EventMetrics) -> list[tuple[str, tuple[PartMetrics, ...]]]:
    """Return the rows by group and those by condition, each with its name, where there are any."""
    return [(name, parts) for name, parts in (("group", metrics.groups), ("condition", metrics.conditions)) if parts]


def _recording(each: Answered) -> dict[str, Any]:
    return {
        "path": each.name,
        "group": each.group,
        "condition": each.condition,
        "duration_s": each.trace.duration_s,
        "truth": [{"label": real.label, "start_s": real.start_s, "end_s": real.end_s} for real in each.truth],
        "events": [
            {
                "label": event.label,
                "start_s": event.start_s,
                "end_s": event.end_s,
                "announced_s": event.announced_s,
                "score": event.score,
            }
            for event in each.events
        ],
    }
