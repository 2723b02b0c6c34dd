"""Outputs that keep decisions and events in memory, for reports, tests and pulling callers."""

from __future__ import annotations

from edgevid.events.decide import Decision, Event
from edgevid.outputs.output import QuietOutput


class Collector(QuietOutput):
    """Keeps every decision and event of a run.

    Attributes:
        decisions: In order.
        starts: Events as reported at their start, in that order.
        events: Whole events, in the order of their ends.
    """

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.starts: list[Event] = []
        self.events: list[Event] = []

    def decided(self, decision: Decision) -> None:
        """Append a decision."""
        self.decisions.append(decision)

    def started(self, event: Event) -> None:
        """Append the start of an event."""
        self.starts.append(event)

    def ended(self, event: Event) -> None:
        """Append a whole event."""
        self.events.append(event)


class Newest(QuietOutput):
    """Keeps the newest decision, and the events since the caller last took them.

    Args:
        starts: Whether to keep the starts of events too.
    """

    def __init__(self, *, starts: bool = False) -> None:
        self._starts = starts
        self._decision: Decision | None = None
        self._events: list[Event] = []

    def decided(self, decision: Decision) -> None:
        """Replace the decision."""
        self._decision = decision

    def started(self, event: Event) -> None:
        """Keep the start of an event, if starts are kept."""
        if self._starts:
            self._events.append(event)

    def ended(self, event: Event) -> None:
        """Keep a whole event."""
        self._events.append(event)

    def take_decision(self) -> Decision | None:
        """Return the newest decision and forget it.

        Returns:
            The decision; its `events` are all that ended since the last one, including those that a
            gap ended. None if there is no new decision.
        """
        decision, self._decision = self._decision, None
        if decision is not None:
            decision.events = self.take_events()
        return decision

    def take_events(self) -> tuple[Event, ...]:
        """Return the events since the last call, in order, and forget them."""
        events, self._events = tuple(self._events), []
        return events
