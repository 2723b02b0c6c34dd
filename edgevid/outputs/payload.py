"""Events and decisions as JSON objects, with the same fields in every output.

`docs/reference/outputs.md` lists the fields.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from edgevid.events.decide import Decision, Event

Phase = Literal["start", "end"]
_DIGITS = 6


def phase(event: Event) -> Phase:
    """Return which of its two reports an event is."""
    return "end" if event.ended else "start"


class EventFormatter:
    """Formats events as JSON objects.

    Args:
        live: Whether event times are this machine's monotonic clock, and thus have a date.
        run: Identifies this run in event ids; random if None.
    """

    def __init__(self, *, live: bool, run: str | None = None) -> None:
        self._live = live
        self._run = run or secrets.token_hex(4)

    def event_id(self, event: Event) -> str:
        """Return an id, the same for start and end of an event and unique across runs.

        A receiver can use it to discard an event that is delivered twice.
        """
        return f"{self._run}-{event.model}-{event.label}-{event.announced_s:.3f}".replace(" ", "_")

    def event(self, event: Event) -> dict[str, Any]:
        """Return the start or the end of an event as a JSON object.

        Returns:
            `event`, `phase`, `id`, `model`, `start_s`, `announced_s`, `score`, `age_ms`; for an end
            also `end_s` and `duration_s`; for a live source also the UTC dates `start` and `end`; `values` by
            name if the model returns more than scores.
        """
        fields: dict[str, Any] = {
            "event": event.label,
            "phase": phase(event),
            "id": self.event_id(event),
            "model": event.model,
            "start_s": round(event.start_s, _DIGITS),
        }
        fields["announced_s"] = round(event.announced_s, _DIGITS)
        if event.ended:
            fields["end_s"] = round(event.end_s, _DIGITS)
            fields["duration_s"] = round(event.end_s - event.start_s, _DIGITS)
        fields["score"] = round(event.score, _DIGITS)
        fields["age_ms"] = round(event.age_ms, 3)
        if self._live:
            fields["start"] = self.date(event.start_s)
            if event.ended:
                fields["end"] = self.date(event.end_s)
        return fields | _values_field(event.values)

    def date(self, t_s: float) -> str:
        """Return a time of a live source as a date.

        Args:
            t_s: Seconds on the monotonic clock.

        Returns:
            ISO 8601 in UTC, with milliseconds.
        """
        # Both clocks are read now: if the wall clock was set since `t_s`, the new one counts.
        age_s = time.monotonic() - t_s
        return datetime.fromtimestamp(time.time() - age_s, UTC).isoformat(timespec="milliseconds")


def decision(decision: Decision) -> dict[str, Any]:
    """Return a decision as a JSON object.

    Returns:
        `t_s`, `label`, `score`, `scores` by label, `age_ms`, `values` by name if the model returns more
        than scores, and `counts` if the run counts repetitions.
    """
    scores = {
        label: round(score, _DIGITS) for label, score in zip(decision.labels, decision.probabilities, strict=True)
    }
    return {
        "t_s": round(decision.t_s, _DIGITS),
        "label": decision.label,
        "score": round(decision.score, _DIGITS),
        "scores": scores,
        **_values_field(decision.values),
        "age_ms": round(decision.age_ms, 3),
        **({"counts": dict(decision.counts)} if decision.counts else {}),
    }


def _values_field(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    if not values:
        return {}
    return {"values": {name: [round(number, _DIGITS) for number in numbers] for name, numbers in values.items()}}


def slugs(names: tuple[str, ...]) -> dict[str, str]:
    """Return a form of each name that fits into topics, file names and identifiers.

    Args:
        names: All different.

    Returns:
        Name to slug: ASCII letters, digits, _ and -, all different.
    """
    taken: dict[str, str] = {}
    for name in names:
        slug = base = "".join(letter if _is_plain(letter) else "_" for letter in name) or "model"
        count = 2
        while slug in taken.values():
            slug, count = f"{base}_{count}", count + 1
        taken[name] = slug
    return taken


def _is_plain(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter in "-_")
