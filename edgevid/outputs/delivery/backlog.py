"""The bounded queue between the loop and an output's thread.

Decisions come with every frame and lose their value quickly: when their queue is full, the oldest
is dropped. Events are few and matter, so they have a queue of their own. When that is full, a whole
event is dropped, start and end together, and only if its start was never delivered. A receiver
therefore never sees an end without its start, or a start without its end.
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
    """A decision to deliver.

    Attributes:
        decision: Must not change any more.
        order: Position among all messages of the backlog.
    """

    decision: Decision
    order: int = 0


@dataclass(slots=True, eq=False)
class EventMessage:
    """The start or the end of an event to deliver.

    Attributes:
        event: Start or end by its `ended`.
        order: Position among all messages of the backlog.
        is_attempted: Whether a delivery was attempted, so that the receiver may have seen it.
    """

    event: Event
    order: int = 0
    is_attempted: bool = False

    @property
    def ended(self) -> bool:
        """Whether this is the end of the event."""
        return self.event.ended


Message = DecisionMessage | EventMessage
Key = tuple[str, str, float]


def event_key(event: Event) -> Key:
    """Return (model, label, time announced): unique within a run, equal for start and end of an event."""
    # Not `start_s`: the estimates of two events may be equal.
    return (event.model, event.label, event.announced_s)


class Backlog:
    """A queue between the loop, which never waits, and one thread that does.

    Args:
        decisions: The most queued decisions.
        events: The most queued starts and ends.
        lazy: Don't wake the thread for a decision. `take` returns it with the next event or after
            its timeout.

    Attributes:
        dropped_decisions: Decisions dropped for newer ones.
        dropped_events: Whole events dropped.
    """

    def __init__(self, *, decisions: int = DECISIONS, events: int = EVENTS, lazy: bool = False) -> None:
        self._lazy = lazy
        self.dropped_decisions = self.dropped_events = 0
        self._decisions: deque[DecisionMessage] = deque()
        self._events: deque[EventMessage] = deque()
        self._most_decisions, self._most_events = decisions, events
        # Events whose start was dropped before their end came.
        self._without_start: set[Key] = set()
        self._changed = threading.Condition()
        self._order = 0
        self._finished = False

    def __len__(self) -> int:
        """Return the number of queued messages."""
        return len(self._decisions) + len(self._events)

    @property
    def events(self) -> int:
        """The number of queued starts and ends."""
        return len(self._events)

    def put(self, message: Message) -> None:
        """Append a message and set its `order`. Never waits for room."""
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
        """Return an undelivered message to the front of its queue.

        A decision is dropped instead if newer ones have filled the queue.

        Args:
            message: The last one that was taken. Put several back in reverse order.
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
        """Wait for the oldest message and remove it.

        Args:
            timeout_s: Longest wait.

        Returns:
            The message; None after the timeout, or if none is left after `finish`.
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
        """Remove the starts and ends that come next, up to the next decision. Does not wait.

        Args:
            most: The most messages to return.
        """
        taken: list[EventMessage] = []
        with self._changed:
            while self._events and len(taken) < most and not self._is_decision_next():
                taken.append(self._take_event())
        return taken

    def finish(self) -> None:
        """Announce that no more messages will come; wake the thread that waits in `take`."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _take_oldest(self) -> Message:
        return self._decisions.popleft() if self._is_decision_next() else self._take_event()

    def _is_decision_next(self) -> bool:
        return bool(self._decisions) and not (self._events and self._events[0].order < self._decisions[0].order)

    def _take_event(self) -> EventMessage:
        message = self._events.popleft()
        message.is_attempted = True
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
        # An end is queued even beyond the limit, as its start is queued or was delivered.
        if not message.ended and len(self._events) >= self._most_events:
            self._drop_event()
        self._events.append(message)

    def _drop_event(self) -> None:
        """Drop the oldest event whose start was never attempted, or nothing if there is none."""
        start = next((each for each in self._events if not each.ended and not each.is_attempted), None)
        if start is None:
            return
        key = event_key(start.event)
        end = next((each for each in self._events if each.ended and event_key(each.event) == key), None)
        self._events.remove(start)
        if end is None:
            self._without_start.add(key)
        else:
            self._events.remove(end)
        self.dropped_events += 1
