"""Several threaded outputs as one: same messages, one watch, and a close in bounded time."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic_ns

from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.threaded import ThreadedOutput
from edgevid.telemetry.thread_faults import Turns
from edgevid.units import NS_PER_S

CLOSE_S = 5.0
_CHECK_S = 1.0
_log = logging.getLogger(__name__)


class FanOut:
    """An output that passes everything on to several threaded outputs.

    Args:
        members: Started here, in order.
        close_s: Longest time that `close` waits for all of them.
    """

    def __init__(self, members: Sequence[ThreadedOutput], *, close_s: float = CLOSE_S) -> None:
        self._members = tuple(members)
        self._close_s = close_s
        self._closed = threading.Event()
        self._values: dict[str, Mapping[str, Sequence[float]]] = {}
        for member in self._members:
            member.start()
        self._watch = threading.Thread(target=self._check, name="edgevid-outputs", daemon=True)
        self._watch.start()

    def decided(self, decision: Decision) -> None:
        """Pass a decision on to each member."""
        if decision.values:
            self._values[decision.model] = decision.values
        for member in self._members:
            member.decided(decision)

    def started(self, event: Event) -> None:
        """Pass the start of an event on, with the values of its model's last decision."""
        event = self._with_values(event)
        for member in self._members:
            member.started(event)

    def ended(self, event: Event) -> None:
        """Pass the end of an event on, with the values of its model's last decision."""
        event = self._with_values(event)
        for member in self._members:
            member.ended(event)

    def reports(self) -> tuple[Report, ...]:
        """Return the report of each member, in order."""
        return tuple(member.report() for member in self._members)

    def close(self) -> None:
        """Deliver queued messages for at most `close_s`, then log drops. May be called twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        deadline_ns = monotonic_ns() + round(self._close_s * NS_PER_S)
        # First ask all, then wait for each: together they take no longer than the slowest.
        for member in self._members:
            member.finish(deadline_ns)
        for member in self._members:
            if left := member.join(deadline_ns):
                _log.warning(
                    "edgevid: %s: %d event starts and ends were not delivered before the run ended.", member.name, left
                )
            _log_drops(member.report())

    def _with_values(self, event: Event) -> Event:
        values = self._values.get(event.model)
        return event if values is None else dataclasses.replace(event, values=values)

    def _check(self) -> None:
        # Each member has turns of its own: a fault of one must not leave the others unwatched.
        turns = [(Turns("outputs"), member) for member in self._members]
        while not self._closed.wait(_CHECK_S):
            for each, member in turns:
                each.attempt(partial(member.check, monotonic_ns()))


def _log_drops(report: Report) -> None:
    lost = ", ".join(f"{count} {cause}" for cause, count in report.lost.items())
    if lost:
        _log.warning("edgevid: %s: dropped: %s.", report.name, lost)
