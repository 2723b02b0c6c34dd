"""What waits for a slow output: bounded, in order, and careful with events.

Decisions come with every frame and are only worth something while they are new: where there is no room, the oldest goes. Events are few and
someone waits for them: they have room of their own, and where even that is full a whole event goes, start and end together, and only one
whose start was not given out yet. So an end without its start, or a start without its end, is never seen outside.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from time import monotonic

from edgevid.events.decide import Decision, Event

DECISIONS, EVENTS = 64, 1000


@dataclass(slots=True, eq=False)
class DecisionMessage:
    """A decision to give out.

    Attributes:
        decision: With scores of its own.
        order: Its place among all messages.
    """

    decision: Decision
    order: int = 0


@dataclass(slots=True, eq=False)
class EventMessage:
    """The start or the end of an event to give out.

    Attributes:
        event: As far as it is known.
        ended: Whether this is its end.
        order: Its place among all messages.
        tried: Whether giving it out was begun: the other side may have seen it.
    """

    event: Event
    ended: bool
    order: int = 0
    tried: bool = False


Message = DecisionMessage | EventMessage
Key = tuple[str, str, float]


def event_key(event: Event) -> Key:
    """Name an event: the same for its start and its end, and for no other event of the run.

    Args:
        event: It.

    Returns:
        Model, label and start.
    """
    return (event.model, event.label, event.start_s)


class Backlog:
    """A queue between the loop, which never waits, and one thread that does.

    Args:
        decisions: Decisions held.
        events: Starts and ends held.
        lazy: Whether a decision wakes nobody: it is found when the next event comes, or `take` has waited long enough.

    Attributes:
        dropped_decisions: Decisions that made room for newer ones.
        dropped_events: Whole events that never got out.
    """

    def __init__(self, *, decisions: int = DECISIONS, events: int = EVENTS, lazy: bool = False) -> None:
        self._lazy = lazy
        self.dropped_decisions = self.dropped_events = 0
        self._decisions: deque[DecisionMessage] = deque()
        self._events: deque[EventMessage] = deque()
        self._most_decisions, self._most_events = decisions, events
        self._without_start: set[Key] = set()
        self._changed = threading.Condition()
        self._order = 0
        self._finished = False

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._decisions) + len(self._events)

    @property
    def events(self) -> int:
        """Starts and ends that wait."""
        return len(self._events)

    def put(self, message: Message) -> None:
        """Add a message behind all others. Never waits for room.

        Args:
            message: It; `order` is set here.
        """
        with self._changed:
            self._order += 1
            message.order = self._order
            if isinstance(message, EventMessage):
                self._put_event(message)
            elif self._most_decisions:
                self._put_decision(message)
            if not self._lazy or isinstance(message, EventMessage):
                self._changed.notify()

    def put_back(self, message: Message) -> None:
        """Return a message that could not be given out to its place; a decision that was overtaken meanwhile is dropped.

        Args:
            message: What `take` gave.
        """
        with self._changed:
            if isinstance(message, EventMessage):
                self._events.appendleft(message)
            elif len(self._decisions) < self._most_decisions:
                self._decisions.appendleft(message)
            else:
                self.dropped_decisions += 1
            self._changed.notify()

    def take(self, timeout_s: float) -> Message | None:
        """Wait for the oldest message and take it out.

        Args:
            timeout_s: Longest wait.

        Returns:
            The message, or None where none came in time, or none is left after `finish`.
        """
        with self._changed:
            until_s = monotonic() + timeout_s
            while not self._decisions and not self._events:
                left_s = until_s - monotonic()
                if self._finished or left_s <= 0:
                    return None
                self._changed.wait(left_s)
            return self._take_oldest()

    def take_more(self, most: int) -> list[EventMessage]:
        """Take out the starts and ends that come next, up to the next decision, without waiting.

        Args:
            most: How many at most.

        Returns:
            As many as there are.
        """
        found: list[EventMessage] = []
        with self._changed:
            while self._events and len(found) < most and not self._is_decision_next():
                found.append(self._take_event())
        return found

    def finish(self) -> None:
        """Say that nothing more will come, and wake whoever waits."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _take_oldest(self) -> Message:
        return self._decisions.popleft() if self._is_decision_next() else self._take_event()

    def _is_decision_next(self) -> bool:
        return bool(self._decisions) and not (self._events and self._events[0].order < self._decisions[0].order)

    def _take_event(self) -> EventMessage:
        message = self._events.popleft()
        message.tried = True
        return message

    def _put_decision(self, message: DecisionMessage) -> None:
        if len(self._decisions) >= self._most_decisions:
            self._decisions.popleft()
            self.dropped_decisions += 1
        self._decisions.append(message)

    def _put_event(self, message: EventMessage) -> None:
        key = event_key(message.event)
        if message.ended and key in self._without_start:
            self._without_start.discard(key)
            return
        if not message.ended and len(self._events) >= self._most_events:
            self._drop_event()
        self._events.append(message)

    def _drop_event(self) -> None:
        """Take out the oldest event whose start nobody has seen; where its end is still to come, remember not to take that."""
        untold = next((each for each in self._events if not each.ended and not each.tried), None)
        if untold is None:
            return
        key = event_key(untold.event)
        end = next((each for each in self._events if each.ended and event_key(each.event) == key), None)
        self._events.remove(untold)
        if end is None:
            self._without_start.add(key)
        else:
            self._events.remove(end)
        self.dropped_events += 1
