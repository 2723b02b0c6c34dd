"""A calibration as text and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convert.event_metrics import EventMetrics
from convert.rule_search.calibration import Calibration
from convert.stream_evaluation.text import promise, rate_text, verdict
from edgevid.events.rule import DecisionRule
from edgevid.schema import to_json
from edgevid.tables import table

_NONE = "None was better than the one before, so that its thresholds and times stay."
_CHOSEN = ("Settings for all classes were chosen.", "Thresholds of single classes were chosen too.")
_NO_SECOND_LOOK = (
    "The recordings are too few for a second look, which takes four with events: the rule may be better by chance."
)


def calibration_text(result: Calibration) -> str:
    """Return the rule and its worth for people, without a final newline."""
    halves = result.halves
    chosen, checked = (
        ", ".join(result.names[index] for index in half) for half in (halves.chosen_on, halves.checked_on)
    )
    return "\n\n".join(
        [
            f"Chosen on {chosen}; checked on {checked}.\n{result.tried} rules were tried. {_choice(result)}",
            table(_rule_rows(result.before, result.rule)),
            f"On the recordings that it was not chosen on:\n{verdict(result.checked)}\n{promise(result.checked)}",
            table(_metric_rows(result)),
        ]
    )


def _choice(result: Calibration) -> str:
    """Return what was chosen, and how sure that is."""
    if replace(result.rule, delays=(), unknown_below=0.0) == replace(result.before, delays=(), unknown_below=0.0):
        return _NONE
    return _CHOSEN[result.depth - 1] if result.second_look else _NO_SECOND_LOOK


def calibration_json(result: Calibration) -> dict[str, Any]:
    """Return the rule and its worth, as `json.dumps` accepts them."""
    halves = result.halves
    return {
        "rule": to_json(result.rule),
        "before": to_json(result.before),
        "chosen_on": [result.names[index] for index in halves.chosen_on],
        "checked_on": [result.names[index] for index in halves.checked_on],
        "kept_together": halves.by,
        "tried": result.tried,
        "depth": result.depth,
        "second_look": result.second_look,
        "chosen": to_json(result.chosen),
        "checked": to_json(result.checked),
        "checked_before": to_json(result.checked_before),
        "notes": list(result.notes),
    }


def _rule_rows(before: DecisionRule, after: DecisionRule) -> list[tuple[str, ...]]:
    names = ("smoothing_s", "enter", "exit", "min_duration_s", "cooldown_s", "unknown_below")
    rows: list[tuple[str, ...]] = [("setting", "before", "now")]
    rows += [(name, f"{getattr(before, name):g}", f"{getattr(after, name):g}") for name in names]
    own_before = {each.label: f"{each.enter:g}/{each.exit:g}" for each in before.thresholds}
    own_after = {each.label: f"{each.enter:g}/{each.exit:g}" for each in after.thresholds}
    rows += [
        (f"enter/exit of {label}", own_before.get(label, ""), own_after.get(label, ""))
        for label in sorted({*own_before, *own_after})
    ]
    late = {each.label: f"{each.start_s:g}/{each.end_s:g}" for each in before.delays}
    rows += [
        (f"delay of {each.label}, s", late.get(each.label, ""), f"{each.start_s:g}/{each.end_s:g}")
        for each in after.delays
    ]
    return rows


def _metric_rows(result: Calibration) -> list[tuple[str, ...]]:
    columns = {
        "before, checked": result.checked_before,
        "now, checked": result.checked,
        "now, where chosen": result.chosen,
    }
    heading: tuple[str, ...] = ("", "found", "false an hour", "F1@50", "announced after s")
    return [heading, *((name, *_metric_cells(metrics)) for name, metrics in columns.items())]


def _metric_cells(metrics: EventMetrics) -> tuple[str, ...]:
    recall, delay = metrics.recall, metrics.delay
    return (
        f"{recall.hits} of {recall.hits + recall.misses}",
        rate_text(metrics.false_per_hour, unit=""),
        f"{metrics.f1['0.5']:.3f}",
        "" if delay is None else f"{delay.p50_s:.2f}",
    )
