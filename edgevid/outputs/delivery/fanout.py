"""All outputs of a run as one: what the loop gives it, each gets; it watches over them and ends them together in a bounded time."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Mapping, Sequence
from time import monotonic_ns
from typing import Protocol

from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.sink import Report

CLOSE_S = 5.0
_CHECK_S = 1.0
_NS_PER_S = 1_000_000_000
_log = logging.getLogger(__name__)


class ThreadedOutput(Protocol):
    """One output that never makes the loop wait: it has a thread of its own, or only counts.

    Attributes:
        name: For logs and metrics.
    """

    name: str

    def start(self) -> None:
        """Begin. Called once, before the first decision."""
        ...

    def decided(self, decision: Decision) -> None:
        """Take a decision.

        Args:
            decision: It may be kept: its scores do not change any more.
        """
        ...

    def started(self, event: Event) -> None:
        """Take the start of an event.

        Args:
            event: As far as it is known.
        """
        ...

    def ended(self, event: Event) -> None:
        """Take the end of an event.

        Args:
            event: It.
        """
        ...

    def check(self, now_ns: int) -> None:
        """Find out whether the thread hangs or died, and begin again if so. Called about every second; must not wait.

        Args:
            now_ns: On the monotonic clock.
        """
        ...

    def finish(self, deadline_ns: int) -> None:
        """Begin to end; must not wait.

        Args:
            deadline_ns: Until when what waits may still be tried, on the monotonic clock.
        """
        ...

    def join(self, deadline_ns: int) -> int:
        """Wait for the end.

        Args:
            deadline_ns: Until when, on the monotonic clock.

        Returns:
            Starts and ends of events that were not given out.
        """
        ...

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Counts so far.
        """
        ...


class FanOut:
    """Several outputs in place of one.

    Args:
        members: They are begun here.
        close_s: Longest time that `close` takes.
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
        """Give a decision to each.

        Args:
            decision: It; all of them get the same one.
        """
        if decision.values:
            self._values[decision.model] = decision.values
        for member in self._members:
            member.decided(decision)

    def started(self, event: Event) -> None:
        """Give the start of an event to each, with what its model gave beside the scores of its last decision.

        Args:
            event: It.
        """
        told = self._measured(event)
        for member in self._members:
            member.started(told)

    def ended(self, event: Event) -> None:
        """Give the end of an event to each, with the same.

        Args:
            event: It.
        """
        told = self._measured(event)
        for member in self._members:
            member.ended(told)

    def _measured(self, event: Event) -> Event:
        values = self._values.get(event.model)
        return event if values is None else dataclasses.replace(event, values=values)

    def reports(self) -> tuple[Report, ...]:
        """Say how each is doing.

        Returns:
            In order.
        """
        return tuple(member.report() for member in self._members)

    def close(self) -> None:
        """Give out what waits, for `close_s` at most, and say what was not given out in the whole run. May be called twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        deadline_ns = monotonic_ns() + round(self._close_s * _NS_PER_S)
        for member in self._members:
            member.finish(deadline_ns)
        for member in self._members:
            if left := member.join(deadline_ns):
                _log.warning(
                    "edgevid: %s: %d starts and ends of events were not delivered before the end.", member.name, left
                )
            _say_drops(member.report())

    def _check(self) -> None:
        while not self._closed.wait(_CHECK_S):
            for member in self._members:
                member.check(monotonic_ns())


def _say_drops(report: Report) -> None:
    """Name what an output did not give out."""
    lost = ", ".join(f"{count} {cause}" for cause, count in report.lost.items())
    if lost:
        _log.warning("edgevid: %s: dropped: %s.", report.name, lost)
