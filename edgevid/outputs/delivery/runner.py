"""Runs an output that may be slow, or gone for hours, in a thread of its own: the loop puts messages into a backlog and never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic_ns, sleep

from edgevid.errors import OutputError, OutputRefused
from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.backlog import DECISIONS, EVENTS, Backlog, DecisionMessage, EventMessage, Message
from edgevid.outputs.delivery.sink import BatchingSink, Report, Sink
from edgevid.outputs.delivery.worker import STUCK_S, Pause, Worker, WorkerRun

_TICK_S, _SAMPLE_S = 1.0, 0.2
_LAST_TRIES_S = 0.1


class SinkRunner:
    """One sink in its own thread.

    Args:
        name: For logs and metrics.
        make: Makes the sink, in its thread; called again after a fault.
        decisions: Decisions that may wait; 0 for a sink that wants none.
        sampled: Whether the sink wants the newest decision a few times a second, not each: then the loop wakes nobody with them.
        events: Starts and ends that may wait.
        pause: Between tries while the other side is away.
        stuck_s: Longest time for one call.
        essential: Whether the run makes no sense without it, as with standard output: its first error is raised in the loop.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Sink],
        *,
        decisions: int = DECISIONS,
        sampled: bool = False,
        events: int = EVENTS,
        pause: Pause | None = None,
        stuck_s: float = STUCK_S,
        essential: bool = False,
    ) -> None:
        self.name = name
        self._make = make
        self._wants_decisions = decisions > 0
        self._sampled = sampled
        self._backlog = Backlog(decisions=1 if sampled else decisions, events=events, lazy=sampled)
        self._pause = pause or Pause()
        self._essential = essential
        self._fatal: OSError | None = None
        self._fatal_told = False
        self._lock = threading.Lock()
        self._sink: Sink | None = None
        self._in_hand: list[Message] = []
        self._delivered = {"decision": 0, "event": 0}
        self._dropped = {"away": 0, "refused": 0}
        self._deadline_ns: int | None = None
        self._hurry = threading.Event()
        self._worker = Worker(name, self._work, rescue=self._rescue, stuck_s=stuck_s)

    def start(self) -> None:
        """Begin to give out."""
        self._worker.start()

    def decided(self, decision: Decision) -> None:
        """Queue a decision.

        Args:
            decision: Kept; its scores must not change any more.
        """
        if self._wants_decisions:
            self._put(DecisionMessage(decision))

    def started(self, event: Event) -> None:
        """Queue the start of an event.

        Args:
            event: It.
        """
        self._put(EventMessage(event, ended=False))

    def ended(self, event: Event) -> None:
        """Queue the end of an event.

        Args:
            event: It.
        """
        self._put(EventMessage(event, ended=True))

    def check(self, now_ns: int) -> None:
        """Look whether the thread hangs or is to be begun again.

        Args:
            now_ns: On the monotonic clock.
        """
        if self._fatal is None:
            self._worker.check(now_ns)

    def finish(self, deadline_ns: int) -> None:
        """Say that nothing more comes, and how long what waits may still be tried; returns at once.

        Args:
            deadline_ns: On the monotonic clock.
        """
        self._deadline_ns = deadline_ns
        self._worker.finish()
        self._backlog.finish()
        self._hurry.set()

    def join(self, deadline_ns: int) -> int:
        """Wait for the thread to end.

        Args:
            deadline_ns: On the monotonic clock.

        Returns:
            Starts and ends that were not given out.
        """
        self._worker.join(deadline_ns)
        return self._backlog.events + sum(isinstance(message, EventMessage) for message in self._in_hand)

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Counts so far.
        """
        dropped = {
            "newer" if self._sampled else "full": self._backlog.dropped_decisions,
            "full_event": self._backlog.dropped_events,
            **self._dropped,
        }
        return Report(
            name=self.name,
            waiting=len(self._backlog),
            delivered=dict(self._delivered),
            dropped=dropped,
            restarts=self._worker.restarts,
            problem=self._worker.problem,
        )

    def _put(self, message: Message) -> None:
        if self._fatal is None:
            self._backlog.put(message)
        elif not self._fatal_told:
            self._fatal_told = True
            raise self._fatal

    def _work(self, run: WorkerRun) -> None:
        """Run in the thread: give out one message after another."""
        sink = self._sink = self._make()
        try:
            while not run.replaced and not self._is_over():
                if not self._tick(sink, run):
                    continue
                message = self._backlog.take(_SAMPLE_S if self._sampled else _TICK_S)
                if message is not None:
                    self._give_out(sink, message, run)
        finally:
            run.heartbeat()
            sink.close()
            run.idle()

    def _is_over(self) -> bool:
        """Whether the run is, and nothing is left, or no time."""
        return self._deadline_ns is not None and (not len(self._backlog) or monotonic_ns() > self._deadline_ns)

    def _tick(self, sink: Sink, run: WorkerRun) -> bool:
        """Let the sink do what is due by the clock, and say whether its other side is there."""
        run.heartbeat()
        try:
            sink.tick()
        except OutputError as error:
            self._wait_for_better(run, error)
            return False
        run.idle()
        return True

    def _give_out(self, sink: Sink, message: Message, run: WorkerRun) -> None:
        hand = [message]
        if isinstance(sink, BatchingSink) and isinstance(message, EventMessage):
            hand += self._backlog.take_more(sink.in_flight - 1)
        self._in_hand = hand
        run.heartbeat()
        try:
            self._hand_over(sink, hand, run)
        except OutputRefused as error:
            if self._claim(hand, hand[0]):
                self._dropped["refused"] += 1
                self._worker.failed(str(error))
            self._return(hand)
        except OutputError as error:
            self._return(hand)
            self._wait_for_better(run, error)
        except Exception as error:
            self._return(hand)
            if not (self._essential and isinstance(error, OSError)):
                raise
            self._fatal = error
            run.replaced = True

    def _hand_over(self, sink: Sink, hand: list[Message], run: WorkerRun) -> None:
        """Give out what is in hand: one message, or several events to a sink that can have them on their way together."""

        def done(event: EventMessage) -> None:
            self._count(hand, event)
            run.heartbeat()

        message = hand[0]
        if isinstance(message, DecisionMessage):
            sink.decided(message.decision)
        elif isinstance(sink, BatchingSink):
            return sink.deliver([each for each in hand if isinstance(each, EventMessage)], done)
        elif message.ended:
            sink.ended(message.event)
        else:
            sink.started(message.event)
        return self._count(hand, message)

    def _count(self, hand: list[Message], message: Message) -> None:
        if self._claim(hand, message):
            self._delivered["event" if isinstance(message, EventMessage) else "decision"] += 1
            self._pause.reset()
            self._worker.works()

    def _claim(self, hand: list[Message], message: Message) -> bool:
        """Let go of a message in hand; False where all of them were taken from a thread that hung, and wait for another."""
        with self._lock:
            if self._in_hand is not hand or message not in hand:
                return False
            hand.remove(message)
            return True

    def _return(self, hand: list[Message]) -> None:
        """Keep events that could not be given out for later, in their order; a decision will be old by then."""
        with self._lock:
            if self._in_hand is not hand:
                return
            self._in_hand = []
        for message in reversed(hand):
            if isinstance(message, EventMessage):
                self._backlog.put_back(message)
            else:
                self._dropped["away"] += 1

    def _wait_for_better(self, run: WorkerRun, error: OutputError) -> None:
        if not run.replaced:
            self._worker.failed(str(error))
            run.idle()
            if self._deadline_ns is None:
                self._hurry.wait(self._pause.next_s())
            else:
                sleep(_LAST_TRIES_S)

    def _rescue(self) -> None:
        """Take from a thread that hangs what it was giving out, and cut its way out."""
        sink = self._sink
        self._return(self._in_hand)
        if sink is not None:
            sink.abort()
