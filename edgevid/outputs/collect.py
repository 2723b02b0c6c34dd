"""Keeps everything in memory: for reports, notebooks and tests."""

from __future__ import annotations

from edgevid.decide import Decision, Event
from edgevid.outputs.output import QuietOutput


class Collector(QuietOutput):
    """Holds every decision and event of a run.

    Attributes:
        decisions: In order.
        starts: Events as they began, in the order they were sure to be events.
        events: In the order they ended.
    """

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.starts: list[Event] = []
        self.events: list[Event] = []

    def decided(self, decision: Decision, ongoing: Event | None) -> None:
        """Keep a decision.

        Args:
            decision: It.
            ongoing: Not kept.
        """
        self.decisions.append(decision)

    def started(self, event: Event) -> None:
        """Keep the beginning of an event.

        Args:
            event: As it is so far.
        """
        self.starts.append(event)

    def ended(self, event: Event) -> None:
        """Keep an event.

        Args:
            event: It.
        """
        self.events.append(event)
