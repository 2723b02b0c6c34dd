"""Keep decisions and events in memory: all of a run, for reports and tests, or those of the newest frame, for a caller who takes them."""

from __future__ import annotations

from edgevid.events.decide import Decision, Event
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

    def decided(self, decision: Decision) -> None:
        """Keep a decision.

        Args:
            decision: It.
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


class Newest(QuietOutput):
    """Keeps what the newest frame brought until the caller takes it.

    Args:
        starts: Whether starts of events are kept among the events.
    """

    def __init__(self, *, starts: bool = False) -> None:
        self._starts = starts
        self._decision: Decision | None = None
        self._events: list[Event] = []

    def decided(self, decision: Decision) -> None:
        """Keep a decision in place of the one before.

        Args:
            decision: Of the newest frame.
        """
        self._decision = decision

    def started(self, event: Event) -> None:
        """Keep the start of an event, if starts are wanted.

        Args:
            event: As far as it is known.
        """
        if self._starts:
            self._events.append(event)

    def ended(self, event: Event) -> None:
        """Keep an event.

        Args:
            event: The whole event.
        """
        self._events.append(event)

    def take_decision(self) -> Decision | None:
        """Hand over the newest decision.

        Returns:
            The decision, with every event that has ended since the one before, also those that a gap ended; None where there is no new one.
        """
        decision, self._decision = self._decision, None
        if decision is not None:
            decision.events = self.take_events()
        return decision

    def take_events(self) -> tuple[Event, ...]:
        """Hand over the events.

        Returns:
            Those since the last call, in order.
        """
        events, self._events = tuple(self._events), []
        return events
