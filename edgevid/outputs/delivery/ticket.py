"""The state of one delivery attempt, shared by the thread that delivers and its watcher."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import Enum, auto

from edgevid.errors import OutputError, OutputRefused
from edgevid.outputs.delivery.backlog import EventMessage, Message


class Outcome(Enum):
    """The result of a failed delivery attempt, and what the runner does about it."""

    REJECTED = auto()
    """The receiver will never accept the first message: drop it, keep the others."""
    AWAY = auto()
    """The receiver is away: keep the events and retry after a pause."""
    BROKEN = auto()
    """The sink is broken: keep the events and create another sink."""
    FATAL = auto()
    """An essential output is lost: keep the events and end the run."""

    @classmethod
    def of(cls, error: Exception, *, is_essential: bool) -> Outcome:
        """Classify the exception that a sink raised.

        Args:
            error: The exception.
            is_essential: Whether the run makes no sense without this output.
        """
        # The order matters: OutputRefused is an OutputError, which is an OSError.
        if isinstance(error, OutputRefused):
            return cls.REJECTED
        if isinstance(error, OutputError):
            return cls.AWAY
        return cls.FATAL if is_essential and isinstance(error, OSError) else cls.BROKEN


class Ticket:
    """The messages of one delivery attempt that are not settled yet.

    A message is settled when it was delivered or rejected. If the thread hangs, the watching thread
    revokes the ticket: the messages return to the backlog, and whatever the hung thread does with
    them later no longer counts.

    Args:
        messages: In order; one decision, or up to `Sink.in_flight` starts and ends.

    Attributes:
        is_revoked: Whether the unsettled messages were taken away.
    """

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.is_revoked = False
        self._messages = list(messages)
        self._lock = threading.Lock()

    @property
    def messages(self) -> tuple[Message, ...]:
        """The unsettled messages, in order."""
        with self._lock:
            return tuple(self._messages)

    @property
    def events(self) -> int:
        """The number of unsettled starts and ends."""
        return sum(isinstance(message, EventMessage) for message in self.messages)

    def settle(self, message: Message) -> bool:
        """Remove a message that was delivered or rejected.

        Returns:
            False if the message was settled before or the ticket is revoked: don't count it.
        """
        with self._lock:
            if self.is_revoked or message not in self._messages:
                return False
            self._messages.remove(message)
            return True

    def revoke(self) -> list[Message]:
        """Remove the unsettled messages.

        Returns:
            The messages in order; none if the ticket was revoked before.
        """
        with self._lock:
            self.is_revoked = True
            unsettled, self._messages = self._messages, []
            return unsettled
