"""Events and decisions as JSON: the same fields on every way out. `docs/outputs.md` lists them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from edgevid.events.decide import Decision, Event

Phase = Literal["start", "end"]
_DIGITS = 6


class EventFormatter:
    """Puts events into words for programs.

    Args:
        live: Whether times are this machine's monotonic clock, so that they can be given as dates.
        run: Tells the events of this run from those of others.
    """

    def __init__(self, *, live: bool, run: str | None = None) -> None:
        self._live = live
        self._run = run or secrets.token_hex(4)

    def event_id(self, event: Event) -> str:
        """Name an event.

        Args:
            event: It, at its start or end.

        Returns:
            The same text for both, and another for every other event; a receiver that was told twice can tell.
        """
        return f"{self._run}-{event.model}-{event.label}-{event.start_s:.3f}".replace(" ", "_")

    def event(self, event: Event, phase: Phase) -> dict[str, Any]:
        """Give an event as a JSON object.

        Args:
            event: It.
            phase: Which of its two moments.

        Returns:
            `event`, `phase`, `id`, `model`, `start_s`, `score`, `age_ms`; `end_s` and `duration_s` at its end; `start` and `end`, dates in
            UTC, for a live source; `values` by name where the model gives more than scores.
        """
        told: dict[str, Any] = {
            "event": event.label,
            "phase": phase,
            "id": self.event_id(event),
            "model": event.model,
            "start_s": round(event.start_s, _DIGITS),
        }
        if phase == "end":
            told |= {"end_s": round(event.end_s, _DIGITS), "duration_s": round(event.end_s - event.start_s, _DIGITS)}
        told |= {"score": round(event.score, _DIGITS), "age_ms": round(event.age_ms, 3)}
        if self._live:
            told["start"] = self.date(event.start_s)
            if phase == "end":
                told["end"] = self.date(event.end_s)
        return told | _beside(event.values)

    def date(self, t_s: float) -> str:
        """Give a time of a live source as a date.

        Args:
            t_s: On the monotonic clock.

        Returns:
            ISO 8601 in UTC, with milliseconds. Where the clock was set meanwhile, by the new one.
        """
        return datetime.fromtimestamp(time.time() - (time.monotonic() - t_s), UTC).isoformat(timespec="milliseconds")


def decision(decision: Decision) -> dict[str, Any]:
    """Give a decision as a JSON object.

    Args:
        decision: It.

    Returns:
        `t_s`, `label`, `score`, `scores` by label, `values` by name where the model gives more than scores, and `age_ms`.
    """
    scores = {
        label: round(score, _DIGITS) for label, score in zip(decision.labels, decision.probabilities, strict=True)
    }
    return {
        "t_s": round(decision.t_s, _DIGITS),
        "label": decision.label,
        "score": round(decision.score, _DIGITS),
        "scores": scores,
        **_beside(decision.values),
        "age_ms": round(decision.age_ms, 3),
    }


def _beside(values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    return (
        {"values": {name: [round(number, _DIGITS) for number in numbers] for name, numbers in values.items()}}
        if values
        else {}
    )


def slugs(names: tuple[str, ...]) -> dict[str, str]:
    """Give each name a form that fits into topics, file names and identifiers.

    Args:
        names: All different.

    Returns:
        Name to slug: letters, digits, _ and -, all different.
    """
    found: dict[str, str] = {}
    for name in names:
        slug = base = (
            "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in name)
            or "model"
        )
        count = 2
        while slug in found.values():
            slug, count = f"{base}_{count}", count + 1
        found[name] = slug
    return found
