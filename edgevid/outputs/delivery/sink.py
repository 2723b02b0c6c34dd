"""What an output that may wait offers, and what is known of how it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from edgevid.outputs.delivery.backlog import EventMessage
from edgevid.outputs.output import Output


class Sink(Output, Protocol):
    """An output that may wait. All but `abort` is called in its own thread.

    `tick`, `decided`, `started` and `ended` may raise `OutputError` where the other side is away (a decision is then dropped; an event waits and is
    given out later, in order) and `OutputRefused` where it will never take this one. Any other error ends this sink, and another is made.
    """

    def tick(self) -> None:
        """Do what is due by the clock. Called about every second, whether or not there are decisions."""
        ...

    def abort(self) -> None:
        """Make a call that hangs return. Called from another thread; must not wait."""
        ...


@runtime_checkable
class BatchingSink(Sink, Protocol):
    """A sink whose other side says what it has, and need not have said so of one event before it is given the next.

    Attributes:
        in_flight: Starts and ends that may be on their way at once.
    """

    in_flight: int

    def deliver(self, events: Sequence[EventMessage], done: Callable[[EventMessage], None]) -> None:
        """Give out starts and ends in their order.

        Args:
            events: At most `in_flight`. After an `OutputError` those that are not done come again, in the same order, before all others.
            done: To be called with each as soon as the other side has it, and not before.

        Raises:
            OutputError: The other side is away.
        """
        ...


class SinkBase:
    """Does nothing by the clock, and has nothing to abort: what a simple `Sink` inherits."""

    def tick(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""


class SinkAdapter(SinkBase):
    """Makes a sink of an output that knows of no threads.

    Args:
        output: It.
    """

    def __init__(self, output: Output) -> None:
        self.decided, self.started, self.ended, self.close = output.decided, output.started, output.ended, output.close


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How one output is doing.

    Attributes:
        name: Which.
        waiting: Messages in its backlog.
        delivered: Given out, by "decision" and "event" (starts and ends).
        dropped: Not given out, by cause.
        restarts: Times that it was begun again after a fault.
        problem: What is wrong now, in one line; None where nothing is.
    """

    name: str
    waiting: int = 0
    delivered: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    problem: str | None = None

    @property
    def lost(self) -> dict[str, int]:
        """What is missing outside, by cause: that a newer decision took an older one's place is no loss to an output that samples."""
        return {cause: count for cause, count in self.dropped.items() if count and cause != "newer"}
