"""The interface of an output that may block, and the statistics of its delivery.

A new network or disk output is a subclass of `Sink`:

    class Siren(Sink):
        def __init__(self, host: str) -> None:
            self._line = socket.create_connection((host, 9000), timeout=5)

        def started(self, event: Event) -> None:
            try:
                self._line.sendall(b"on")
            except OSError as error:
                raise OutputError(expected="the siren to answer", found=str(error)) from error

        def abort(self) -> None:
            self._line.shutdown(socket.SHUT_RDWR)

        def close(self) -> None:
            self._line.close()

    SinkRunner("siren", lambda: Siren("siren.local"), DeliveryOptions(decisions=0))

`SinkRunner` creates the sink in a thread, queues messages for it, retries, and replaces it when
it fails or hangs. An output that never blocks implements `edgevid.outputs.output.Output`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.backlog import EventMessage
from edgevid.outputs.output import Output, QuietOutput


class Sink(QuietOutput):
    """An output that may block. The thread of its `SinkRunner` calls every method but `abort`.

    All methods may be left out. `decided`, `started`, `ended`, `deliver` and `tick` may raise:

    - `OutputError` if the receiver is away. The runner drops a decision; it keeps an event and
      delivers it later, in order.
    - `OutputRefused` if the receiver will never accept this message. The runner drops it.
    - anything else if the sink is broken. The runner closes it and creates another.

    Attributes:
        in_flight: The most starts and ends that `deliver` accepts in one call.
    """

    in_flight: int = 1

    def deliver(self, events: Sequence[EventMessage], acknowledge: Callable[[EventMessage], None]) -> None:
        """Deliver starts and ends, by default one after the other through `started` and `ended`.

        Override it, and raise `in_flight`, for a protocol that can have several messages in flight
        and acknowledges each one.

        Args:
            events: 1 to `in_flight` messages, in order. After an `OutputError` the runner passes
                those that were not acknowledged again, in the same order and before all others.
            acknowledge: To be called with each message when the receiver has it, and not before.

        Raises:
            OutputError: The receiver is away.
        """
        for message in events:
            if message.ended:
                self.ended(message.event)
            else:
                self.started(message.event)
            acknowledge(message)

    def tick(self) -> None:
        """Do periodic work, such as keeping a connection alive. Called about once a second."""

    def abort(self) -> None:
        """Make a call that hangs return, for instance by closing its socket.

        Called from another thread; must not block.
        """


class _OutputSink(Sink):
    """A plain `Output` in the role of a sink."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def decided(self, decision: Decision) -> None:
        self._output.decided(decision)

    def started(self, event: Event) -> None:
        self._output.started(event)

    def ended(self, event: Event) -> None:
        self._output.ended(event)

    def close(self) -> None:
        self._output.close()


def as_sink(output: Output) -> Sink:
    """Return a sink that forwards to an output, or the output itself if it is a sink."""
    return output if isinstance(output, Sink) else _OutputSink(output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Statistics and health of one output.

    Attributes:
        name: Name of the output in logs and metrics.
        waiting: Messages in its backlog.
        delivered: Messages delivered, by kind: "decision", "event" (starts and ends) or a kind of
            the output's own.
        dropped: Messages dropped, by cause.
        restarts: Restarts of its thread after a fault.
        problem: The current problem in one line; None if there is none.
    """

    name: str
    waiting: int = 0
    delivered: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    problem: str | None = None

    @property
    def lost(self) -> dict[str, int]:
        """Messages that a receiver misses, by cause.

        Excludes "newer": an output that samples decisions expects the newest to replace the others.
        """
        return {cause: count for cause, count in self.dropped.items() if count and cause != "newer"}
