"""Delivery of messages to one sink, in a thread of its own: backlog, retries and restarts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic_ns, sleep

from edgevid.errors import OutputError
from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.backlog import DECISIONS, EVENTS, Backlog, DecisionMessage, EventMessage, Message
from edgevid.outputs.delivery.sink import Report, Sink, as_sink
from edgevid.outputs.delivery.threaded import ThreadedOutput
from edgevid.outputs.delivery.ticket import Outcome, Ticket
from edgevid.outputs.delivery.worker import FIRST_PAUSE_S, LONGEST_PAUSE_S, STUCK_S, Pause, WorkerRun
from edgevid.outputs.output import Output

_TICK_S = 1.0
# A sampled decision does not wake the thread: it is found when this wait for an event times out.
_SAMPLE_S = 0.2
# Between two attempts after `finish`, when a pause could use up the time that is left.
_LAST_RETRY_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """Queue sizes, pauses and limits of a `SinkRunner`.

    Attributes:
        decisions: The most queued decisions; 0 for a sink that ignores them.
        is_sampled: Deliver the newest decision a few times a second instead of each one.
        events: The most queued starts and ends.
        first_pause_s: Pause before the first retry while the receiver is away; doubles with each.
        longest_pause_s: The longest such pause.
        stuck_s: The longest time for one call of the sink.
        is_essential: Raise the first `OSError` of the sink in the loop, as for standard output,
            without which the run makes no sense.
    """

    decisions: int = DECISIONS
    is_sampled: bool = False
    events: int = EVENTS
    first_pause_s: float = FIRST_PAUSE_S
    longest_pause_s: float = LONGEST_PAUSE_S
    stuck_s: float = STUCK_S
    is_essential: bool = False


_DEFAULTS = DeliveryOptions()


class SinkRunner(ThreadedOutput):
    """A sink in a thread of its own, behind a backlog. The loop only queues and never waits.

    Args:
        name: Name in logs and metrics.
        make: Creates the sink (or a plain output), in the thread; called again after a fault.
        options: Queue sizes, pauses and limits.
    """

    def __init__(self, name: str, make: Callable[[], Output], options: DeliveryOptions = _DEFAULTS) -> None:
        self.name = name
        self._make = make
        self._options = options
        self._backlog = Backlog(
            decisions=1 if options.is_sampled else options.decisions,
            events=options.events,
            lazy=options.is_sampled,
        )
        self._pause = Pause(options.first_pause_s, options.longest_pause_s)
        self._fatal: Exception | None = None
        self._is_fatal_raised = False
        self._sink: Sink | None = None
        self._ticket = Ticket()
        self._delivered = {"decision": 0, "event": 0}
        self._dropped = {"away": 0, "refused": 0}
        self._deadline_ns: int | None = None
        self._finishing = threading.Event()
        super().__init__(self._work, rescue=self._rescue, stuck_s=options.stuck_s)

    def decided(self, decision: Decision) -> None:
        """Queue a decision; it is retained, so its scores must not change any more."""
        if self._options.decisions > 0:
            self._put(DecisionMessage(decision))

    def started(self, event: Event) -> None:
        """Queue the start of an event."""
        self._put(EventMessage(event))

    def ended(self, event: Event) -> None:
        """Queue the end of an event."""
        self._put(EventMessage(event))

    def check(self, now_ns: int) -> None:
        """Replace the thread if it hangs or died, unless the sink is lost for good.

        Args:
            now_ns: Time on the monotonic clock.
        """
        if self._fatal is None:
            super().check(now_ns)

    def finish(self, deadline_ns: int) -> None:
        """End the thread when the backlog is empty or the deadline has passed.

        Args:
            deadline_ns: Time on the monotonic clock until which queued messages are retried.
        """
        self._deadline_ns = deadline_ns
        super().finish(deadline_ns)
        self._backlog.finish()
        # Ends a pause between retries, which may be a minute long.
        self._finishing.set()

    def join(self, deadline_ns: int) -> int:
        """Wait for the thread to end.

        Args:
            deadline_ns: Latest return, on the monotonic clock.

        Returns:
            The number of starts and ends that were not delivered.
        """
        super().join(deadline_ns)
        return self._backlog.events + self._ticket.events

    def report(self) -> Report:
        """Return the counts so far and the current problem."""
        dropped = {
            "newer" if self._options.is_sampled else "full": self._backlog.dropped_decisions,
            "full_event": self._backlog.dropped_events,
            **self._dropped,
        }
        return self._report(waiting=len(self._backlog), delivered=dict(self._delivered), dropped=dropped)

    def _put(self, message: Message) -> None:
        if self._fatal is None:
            self._backlog.put(message)
        elif not self._is_fatal_raised:
            # Only once: the loop ends its open events after the error, which calls this again.
            self._is_fatal_raised = True
            raise self._fatal

    def _work(self, run: WorkerRun) -> None:
        """Deliver one message after the other, in the thread."""
        sink = self._sink = as_sink(self._make())
        wait_s = _SAMPLE_S if self._options.is_sampled else _TICK_S
        try:
            while not run.replaced and not self._is_over():
                if not self._tick(sink, run):
                    continue
                message = self._backlog.take(wait_s)
                if message is not None:
                    self._deliver(sink, message, run)
        finally:
            run.heartbeat()
            sink.close()
            run.idle()

    def _is_over(self) -> bool:
        """Return whether the run ends and there is nothing left to deliver, or no time."""
        return self._deadline_ns is not None and (not len(self._backlog) or monotonic_ns() > self._deadline_ns)

    def _tick(self, sink: Sink, run: WorkerRun) -> bool:
        """Let the sink do its periodic work; return whether messages may follow."""
        run.heartbeat()
        try:
            sink.tick()
        except OutputError as error:
            self._wait_to_retry(run, error)
            return False
        run.idle()
        # A run that was replaced while it hung here must not take a message from its successor.
        return not run.replaced

    def _deliver(self, sink: Sink, message: Message, run: WorkerRun) -> None:
        """Attempt to deliver a message; after a failure, act on its outcome."""
        more = self._backlog.take_more(sink.in_flight - 1) if isinstance(message, EventMessage) else []
        ticket = self._ticket = Ticket([message, *more])
        run.heartbeat()
        try:
            self._call(sink, message, more, partial(self._acknowledge, ticket, run))
        except Exception as error:
            outcome = Outcome.of(error, is_essential=self._options.is_essential)
            if outcome is Outcome.REJECTED:
                self._drop_first(ticket, error)
            self._put_back(ticket)
            if outcome is Outcome.AWAY:
                self._wait_to_retry(run, error)
            elif outcome is Outcome.FATAL:
                self._fatal = error
                run.replaced = True
            elif outcome is Outcome.BROKEN:
                raise

    def _call(
        self, sink: Sink, message: Message, more: list[EventMessage], acknowledge: Callable[[Message], None]
    ) -> None:
        """Pass a decision to the sink, or an event with the next ones that may be in flight."""
        if isinstance(message, DecisionMessage):
            sink.decided(message.decision)
            acknowledge(message)
        else:
            sink.deliver([message, *more], acknowledge)

    def _acknowledge(self, ticket: Ticket, run: WorkerRun, message: Message) -> None:
        """Count a delivered message, unless it was taken from a thread that hung."""
        if ticket.settle(message):
            self._delivered["event" if isinstance(message, EventMessage) else "decision"] += 1
            self._pause.reset()
            self._worker.note_success()
        run.heartbeat()

    def _drop_first(self, ticket: Ticket, error: Exception) -> None:
        """Drop the rejected message: the first unsettled one, as those before were acknowledged."""
        unsettled = ticket.messages
        if unsettled and ticket.settle(unsettled[0]):
            self._dropped["refused"] += 1
            self._worker.note_problem(str(error))

    def _put_back(self, ticket: Ticket) -> None:
        """Return unsettled events to the backlog, in order; drop a decision, which is soon old."""
        for message in reversed(ticket.revoke()):
            if isinstance(message, EventMessage):
                self._backlog.put_back(message)
            else:
                self._dropped["away"] += 1

    def _wait_to_retry(self, run: WorkerRun, error: Exception) -> None:
        if run.replaced:
            return
        self._worker.note_problem(str(error))
        run.idle()
        if self._deadline_ns is None:
            self._finishing.wait(self._pause.next_s())
        else:
            sleep(_LAST_RETRY_S)

    def _rescue(self) -> None:
        """Remove the messages from a thread that hangs, then unblock it."""
        sink = self._sink
        # In this order: an aborted call raises, and its thread must find the ticket revoked.
        self._put_back(self._ticket)
        if sink is not None:
            sink.abort()
