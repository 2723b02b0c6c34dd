"""An output in a thread of its own: whatever happens to it, the loop never waits and no event is lost."""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from time import monotonic_ns

import pytest

from edgevid.errors import OutputRefused
from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery import fanout
from edgevid.outputs.delivery.backlog import EventMessage
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
from edgevid.outputs.delivery.sink import Sink
from edgevid.outputs.delivery.worker import Pause, Worker, WorkerRun
from edgevid.outputs.output import Output, QuietOutput
from edgevid.telemetry.thread_faults import thread_faults
from tests.edgevid.outputs.sinks import Away, Gate, Told, decision, event, until

SOON = 10_000_000_000


def deadline_ns(after_s: float = 5.0) -> int:
    return monotonic_ns() + round(after_s * 1e9)


QUICK = DeliveryOptions(first_pause_s=0.01, longest_pause_s=0.02)


def runner_for(sink: Output, **options: int) -> SinkRunner:
    runner = SinkRunner("test", lambda: sink, dataclasses.replace(QUICK, **options))
    runner.start()
    return runner


def end(runner: SinkRunner) -> int:
    runner.finish(deadline_ns())
    return runner.join(deadline_ns())


def test_everything_is_given_out_in_order_and_the_sink_is_closed() -> None:
    sink = Told()
    runner = runner_for(sink)
    runner.decided(decision(1.0))
    runner.started(event(1.0))
    runner.ended(event(1.0, ended=True))
    assert end(runner) == 0
    assert sink.told == ["decision 1.0", "start 1.0", "end 1.0"]
    assert sink.closed == 1
    assert runner.report().delivered == {"decision": 1, "event": 2}


def test_a_slow_output_drops_old_decisions_but_no_event() -> None:
    gate = Gate()
    sink = Told(gate)
    runner = runner_for(sink, decisions=3)
    runner.decided(decision(0.0))
    gate.reached.wait(20)
    runner.started(event(1.0))
    for t_s in range(1, 101):
        runner.decided(decision(float(t_s)))
    runner.ended(event(1.0, ended=True))
    gate.open.set()
    assert end(runner) == 0
    assert sink.told == ["decision 0.0", "start 1.0", "decision 98.0", "decision 99.0", "decision 100.0", "end 1.0"]
    assert runner.report().dropped["full"] == 97


def test_while_the_other_side_is_away_events_wait_and_then_come_in_order() -> None:
    away = Away()
    sink = Told(away)
    runner = runner_for(sink)
    for at_s in (1.0, 2.0):
        runner.started(event(at_s))
        runner.ended(event(at_s, ended=True))
    runner.decided(decision(3.0))
    until(lambda: away.tries > 2)
    assert runner.report().problem == "Expected the other side, it is away."
    away.back = True
    until(lambda: len(sink.told) >= 4)
    assert sink.told[:4] == ["start 1.0", "end 1.0", "start 2.0", "end 2.0"]
    end(runner)
    assert runner.report().problem is None


def test_what_the_other_side_refuses_is_counted_and_not_tried_again() -> None:
    def refuse(told: str) -> None:
        if told == "start 1.0":
            raise OutputRefused("Expected to be welcome, was not.")

    sink = Told(refuse)
    runner = runner_for(sink)
    runner.started(event(1.0))
    runner.ended(event(1.0, ended=True))
    assert end(runner) == 0
    assert sink.told == ["end 1.0"]
    assert runner.report().dropped["refused"] == 1


def test_a_sink_that_breaks_is_made_again_and_no_event_is_lost() -> None:
    made: list[Told] = []

    def make() -> Told:
        def break_once(told: str) -> None:
            if len(made) == 1 and told == "end 1.0":
                raise ZeroDivisionError(told)

        made.append(Told(break_once))
        return made[-1]

    runner = SinkRunner("test", make)
    runner.start()
    runner.started(event(1.0))
    runner.ended(event(1.0, ended=True))
    until(lambda: runner.report().problem is not None)
    runner.check(monotonic_ns() + SOON)
    assert end(runner) == 0
    assert [each.told for each in made] == [["start 1.0"], ["end 1.0"]]
    assert made[0].closed == 1
    assert runner.report().restarts == 1


def test_a_sink_that_hangs_is_found_within_ten_seconds_aborted_and_replaced_and_no_event_is_lost() -> None:
    gate, aborted, made = Gate(), threading.Event(), []

    class Hangs(Told):
        def abort(self) -> None:
            aborted.set()

    def make() -> Told:
        made.append(Hangs(gate) if not made else Told())
        return made[-1]

    runner = SinkRunner("test", make)
    runner.start()
    runner.started(event(1.0))
    gate.reached.wait(20)
    runner.ended(event(1.0, ended=True))
    began_ns = monotonic_ns()
    runner.check(began_ns + 5_000_000_000)
    assert not aborted.is_set()
    runner.check(began_ns + 9_000_000_000)
    assert aborted.is_set()
    runner.check(began_ns + 60_000_000_000)
    assert end(runner) == 0
    assert made[1].told == ["start 1.0", "end 1.0"]
    gate.open.set()
    until(lambda: made[0].closed == 1)
    assert runner.report().delivered == {"decision": 0, "event": 2}


def test_a_thread_that_hung_in_its_periodic_work_takes_no_message_from_the_one_in_its_place() -> None:
    gate, made = Gate(), []

    class Hangs(Told):
        def tick(self) -> None:
            gate("tick")

    def make() -> Told:
        made.append(Told() if made else Hangs())
        return made[-1]

    runner = SinkRunner("test", make)
    runner.start()
    gate.reached.wait(20)
    runner.started(event(1.0))
    began_ns = monotonic_ns()
    runner.check(began_ns + 9_000_000_000)
    gate.open.set()
    until(lambda: made[0].closed == 1)
    assert made[0].told == []
    runner.check(began_ns + 60_000_000_000)
    assert end(runner) == 0
    assert made[1].told == ["start 1.0"]


class Pipe(Sink):
    """A pipelined sink, whose other side has one event after another.

    Args:
        fault: Called before the other side has an event; may raise or wait.
    """

    in_flight = 3

    def __init__(self, fault: Callable[[str], None] = lambda _told: None) -> None:
        self.had: list[str] = []
        self.given: list[int] = []
        self._fault = fault

    def decided(self, decision: Decision) -> None:
        self.had.append(f"decision {decision.t_s}")

    def deliver(self, events: Sequence[EventMessage], acknowledge: Callable[[EventMessage], None]) -> None:
        self.given.append(len(events))
        for each in events:
            name = f"{'end' if each.ended else 'start'} {each.event.start_s}"
            self._fault(name)
            self.had.append(name)
            acknowledge(each)


def queued(sink: Pipe, *more: Pipe) -> tuple[SinkRunner, list[str]]:
    """A runner that has five events and then a decision waiting before it begins, and what is to be told."""
    made = [sink, *more]
    runner = SinkRunner("test", lambda: made.pop(0) if len(made) > 1 else made[0], QUICK)
    for at_s in (1.0, 2.0):
        runner.started(event(at_s))
        runner.ended(event(at_s, ended=True))
    runner.started(event(3.0))
    runner.decided(decision(3.0))
    runner.ended(event(3.0, ended=True))
    return runner, ["start 1.0", "end 1.0", "start 2.0", "end 2.0", "start 3.0", "decision 3.0", "end 3.0"]


def test_an_output_that_can_have_several_events_on_their_way_is_given_the_next_ones_too_in_order() -> None:
    sink = Pipe()
    runner, wanted = queued(sink)
    runner.start()
    assert end(runner) == 0
    assert (sink.had, sink.given) == (wanted, [3, 2, 1])
    assert runner.report().delivered == {"decision": 1, "event": 6}


def test_of_several_events_on_their_way_those_that_the_other_side_has_not_come_again_in_order() -> None:
    away = Away()
    sink = Pipe(lambda name: away(name) if name == "end 1.0" else None)
    runner, wanted = queued(sink)
    runner.start()
    until(lambda: away.tries > 2)
    until(lambda: runner.report().waiting == 6)
    assert (sink.had, runner.report().delivered["event"]) == (["start 1.0"], 1)
    away.back = True
    assert end(runner) == 0
    assert sink.had == wanted
    assert runner.report().delivered == {"decision": 1, "event": 6}


def test_a_thread_that_hangs_with_several_events_in_flight_loses_none_and_its_late_acknowledgements_are_ignored() -> (
    None
):
    gate = Gate()
    hangs, other = Pipe(lambda name: gate(name) if name == "end 1.0" else None), Pipe()
    runner, wanted = queued(hangs, other)
    runner.start()
    gate.reached.wait(20)
    began_ns = monotonic_ns()
    runner.check(began_ns + 9_000_000_000)
    runner.check(began_ns + 60_000_000_000)
    assert end(runner) == 0
    assert other.had == wanted[1:]
    gate.open.set()
    until(lambda: len(hangs.had) == 3)
    assert runner.report().delivered == {"decision": 1, "event": 6}


def test_an_output_that_is_idle_for_long_does_not_hang() -> None:
    runner = runner_for(Told())
    until(lambda: runner.report().waiting == 0)
    runner.decided(decision(1.0))
    until(lambda: runner.report().delivered["decision"] == 1)
    runner.check(monotonic_ns() + 3_600_000_000_000)
    assert runner.report().restarts == 0
    end(runner)


def test_the_error_of_an_essential_output_reaches_the_loop_once() -> None:
    def gone(told: str) -> None:
        raise BrokenPipeError("reader gone")

    runner = runner_for(Told(gone), is_essential=True)
    runner.started(event(1.0))
    with pytest.raises(BrokenPipeError):
        until(lambda: runner.decided(decision(1.0)) is not None)
    runner.ended(event(1.0, ended=True))
    end(runner)


def test_close_takes_no_longer_than_it_may_and_says_what_was_not_delivered(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    hung, well = Told(gate), Told()
    everything = FanOut([SinkRunner("hung", lambda: hung), SinkRunner("well", lambda: well)], close_s=0.2)
    everything.started(event(1.0))
    everything.ended(event(1.0, ended=True))
    with caplog.at_level(logging.WARNING):
        everything.close()
        everything.close()
    assert well.told == ["start 1.0", "end 1.0"]
    assert [record.getMessage() for record in caplog.records] == [
        "edgevid: hung: 2 event starts and ends were not delivered before the run ended."
    ]
    gate.open.set()


def test_what_was_dropped_is_said_at_the_end_by_cause(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    everything = FanOut(
        [
            SinkRunner("slow", lambda: Told(gate), DeliveryOptions(decisions=2)),
            SinkRunner("sampled", Told, DeliveryOptions(is_sampled=True)),
        ]
    )
    everything.started(event(1.0))
    gate.reached.wait(20)
    for t_s in range(6):
        everything.decided(decision(float(t_s)))
    gate.open.set()
    with caplog.at_level(logging.WARNING):
        everything.close()
    assert [record.getMessage() for record in caplog.records] == ["edgevid: slow: dropped: 4 full."]


def test_a_sink_that_wants_no_decisions_gets_none_and_one_that_samples_gets_the_newest() -> None:
    deaf, sampled = Told(), Told(gate := Gate())
    runners = [
        SinkRunner("deaf", lambda: deaf, DeliveryOptions(decisions=0)),
        SinkRunner("sampled", lambda: sampled, DeliveryOptions(is_sampled=True)),
    ]
    everything = FanOut(runners)
    everything.started(event(1.0))
    gate.reached.wait(20)
    for t_s in range(6):
        everything.decided(decision(float(t_s)))
    gate.open.set()
    everything.close()
    assert deaf.told == ["start 1.0"]
    assert sampled.told == ["start 1.0", "decision 5.0"]


def test_an_ordinary_output_can_have_a_thread() -> None:
    class Ordinary(QuietOutput):
        def __init__(self) -> None:
            self.told: list[str] = []

        def decided(self, decision: Decision) -> None:
            self.told.append(f"decision {decision.t_s}")

        def started(self, event: Event) -> None:
            self.told.append(f"start {event.start_s}")

        def ended(self, event: Event) -> None:
            self.told.append(f"end {event.start_s}")

        def close(self) -> None:
            self.told.append("close")

    output = Ordinary()
    runner = runner_for(output)
    runner.decided(decision(1.0))
    runner.started(event(1.0))
    runner.ended(event(1.0, ended=True))
    end(runner)
    assert output.told == ["decision 1.0", "start 1.0", "end 1.0", "close"]


def test_the_pause_after_a_failure_doubles_up_to_its_limit_and_begins_again_after_success() -> None:
    pause = Pause(1.0, 5.0)
    assert [pause.next_s() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    pause.reset()
    assert pause.next_s() == 1.0


def test_a_thread_that_dies_comes_back_after_its_pause_and_not_before() -> None:
    terms = []

    def work(run: WorkerRun) -> None:
        terms.append(run)
        if len(terms) == 1:
            raise ValueError("broken")
        run.cancelled.wait(20)

    worker = Worker("test", work)
    worker.start()
    until(lambda: worker.problem is not None)
    assert worker.problem == "ValueError: broken"
    now_ns = monotonic_ns()
    worker.check(now_ns)
    assert len(terms) == 1
    worker.check(now_ns + 2_000_000_000)
    until(lambda: len(terms) == 2)
    worker.finish()
    assert worker.join(deadline_ns())


def test_threads_that_hang_for_ever_are_not_piled_up() -> None:
    forever, terms = threading.Event(), []

    def hang(run: WorkerRun) -> None:
        terms.append(run)
        forever.wait(30)

    worker = Worker("test", hang, pause=Pause(0.0, 0.0))
    worker.start()
    for step in range(1, 21):
        worker.check(monotonic_ns() + step * SOON)
    assert len(terms) == 4
    forever.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_a_function_ends_by_sys_exit_is_noticed_and_replaced() -> None:
    runs = []

    def work(run: WorkerRun) -> None:
        runs.append(run)
        run.idle()
        if len(runs) == 1:
            sys.exit()
        run.cancelled.wait(20)

    worker = Worker("test", work, pause=Pause(0.0, 0.0))
    worker.start()
    until(lambda: not worker._threads[-1].is_alive())
    worker.check(monotonic_ns())
    assert worker.problem == "its thread ended"
    until(lambda: len(runs) == 2)
    worker.finish()
    assert worker.join(deadline_ns())


def test_the_watch_over_outputs_outlives_a_check_that_fails_and_reaches_the_members_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fanout, "_CHECK_S", 0.01)
    broken, sound = SinkRunner("broken", Told), SinkRunner("sound", Told)
    checks: list[int] = []
    monkeypatch.setattr(broken, "check", lambda _now_ns: 1 / 0)
    monkeypatch.setattr(sound, "check", checks.append)
    before = thread_faults().get("outputs", 0)
    outputs = FanOut([broken, sound])
    until(lambda: len(checks) > 3)
    outputs.close()
    assert thread_faults()["outputs"] > before + 2
