"""Sentences about the events of a bundle, from the data of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def event_lines(report: Mapping[str, Any]) -> list[str]:
    """Return how the events of the bundle differ from those of the trained model; nothing without recordings.

    Args:
        report: The data of `report.json`; an old one has no events.
    """
    drift = report.get("events")
    if drift is None:
        return []
    extra = drift["false_bundle"] - drift["false_float"]
    alarms = f"{abs(extra)} {'fewer' if extra < 0 else 'more'} false alarm{'' if abs(extra) == 1 else 's'}"
    delay = "" if drift["later_ms"] is None else f"; announced {_later(drift['later_ms'])}"
    return [
        f"events: of {drift['found_float']} that the trained model finds, the bundle misses {drift['lost']}, "
        f"and finds {drift['won']} more (of {drift['events']}); "
        f"{alarms} in {drift['hours']:.3g} h ({drift['extra_false_per_hour']:+.2g} an hour){delay}"
    ]


def _later(later_ms: float) -> str:
    return f"{abs(later_ms):.0f} ms {'earlier' if later_ms < 0 else 'later'}"
