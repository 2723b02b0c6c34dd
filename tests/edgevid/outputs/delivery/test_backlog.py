"""What waits for a slow output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgevid.outputs.delivery.backlog import Backlog, DecisionMessage, EventMessage, Message
from tests.edgevid.outputs.sinks import decision, event


def drain(backlog: Backlog) -> list[str]:
    told = []
    while (message := backlog.take(0)) is not None:
        told.append(name(message))
    return told


def name(message: Message) -> str:
    if isinstance(message, DecisionMessage):
        return f"decision {message.decision.t_s:g}"
    return f"{'end' if message.ended else 'start'} {message.event.start_s:g}"


def start(at_s: float) -> EventMessage:
    return EventMessage(event(at_s))


def end(at_s: float) -> EventMessage:
    return EventMessage(event(at_s, at_s + 1))


def test_messages_come_out_in_the_order_they_went_in() -> None:
    backlog = Backlog()
    for message in (
        DecisionMessage(decision(1)),
        start(1),
        DecisionMessage(decision(2)),
        end(1),
        DecisionMessage(decision(3)),
    ):
        backlog.put(message)
    assert len(backlog) == 5
    assert drain(backlog) == ["decision 1", "start 1", "decision 2", "end 1", "decision 3"]


def test_the_oldest_decision_makes_room_and_events_stay() -> None:
    backlog = Backlog(decisions=2)
    backlog.put(start(0))
    for t_s in range(1, 6):
        backlog.put(DecisionMessage(decision(t_s)))
    backlog.put(end(0))
    assert backlog.dropped_decisions == 3
    assert drain(backlog) == ["start 0", "decision 4", "decision 5", "end 0"]


def test_where_events_have_no_room_a_whole_event_that_nobody_saw_goes() -> None:
    backlog = Backlog(events=4)
    for at_s in (1, 2, 3):
        backlog.put(start(at_s))
        backlog.put(end(at_s))
    assert drain(backlog) == ["start 2", "end 2", "start 3", "end 3"]
    assert backlog.dropped_events == 1


def test_an_event_whose_start_was_given_out_keeps_its_end() -> None:
    backlog = Backlog(events=2)
    backlog.put(start(1))
    assert name(backlog.take(0)) == "start 1"
    for at_s in (2, 3, 4):
        backlog.put(start(at_s))
    backlog.put(end(1))
    assert "end 1" in drain(backlog)


def test_an_end_is_not_given_out_where_its_start_made_room() -> None:
    backlog = Backlog(events=1)
    backlog.put(start(1))
    backlog.put(start(2))
    backlog.put(end(1))
    backlog.put(end(2))
    assert drain(backlog) == ["start 2", "end 2"]


def test_a_start_that_was_tried_and_put_back_is_not_dropped_for_it_may_have_been_seen() -> None:
    backlog = Backlog(events=2)
    backlog.put(start(1))
    tried = backlog.take(0)
    backlog.put_back(tried)
    for at_s in (2, 3, 4):
        backlog.put(start(at_s))
    assert drain(backlog)[0] == "start 1"


def test_what_is_put_back_is_the_next_to_come_out() -> None:
    backlog = Backlog()
    backlog.put(start(1))
    backlog.put(end(1))
    backlog.put_back(backlog.take(0))
    assert drain(backlog) == ["start 1", "end 1"]


def test_a_decision_put_back_where_newer_ones_fill_the_room_is_dropped() -> None:
    backlog = Backlog(decisions=1)
    backlog.put(DecisionMessage(decision(1)))
    old = backlog.take(0)
    backlog.put(DecisionMessage(decision(2)))
    backlog.put_back(old)
    assert drain(backlog) == ["decision 2"]
    assert backlog.dropped_decisions == 1


def test_after_the_end_what_is_left_still_comes_out_and_then_nothing_is_waited_for() -> None:
    backlog = Backlog()
    backlog.put(start(1))
    backlog.finish()
    assert name(backlog.take(60)) == "start 1"
    assert backlog.take(60) is None


@given(st.lists(st.sampled_from(["start", "take", "return"]), max_size=60), st.integers(1, 5))
def test_whatever_happens_nobody_sees_a_start_without_its_end_or_an_end_without_its_start(
    steps: list[str], room: int
) -> None:
    backlog, seen, started = Backlog(events=room), [], 0
    for step in steps:
        if step == "start":  # one event is open at a time: the one before ends first
            if started:
                backlog.put(end(started))
            started += 1
            backlog.put(start(started))
        elif (message := backlog.take(0)) is not None:
            if step == "return":
                backlog.put_back(message)
            else:
                seen.append(name(message))
    if started:
        backlog.put(end(started))
    seen += drain(backlog)
    starts, ends = ([each.split()[1] for each in seen if each.startswith(kind)] for kind in ("start", "end"))
    assert starts == ends
    assert len(starts) + backlog.dropped_events == started


def test_events_that_come_next_are_taken_together_up_to_a_decision_and_to_a_limit() -> None:
    backlog = Backlog()
    for at_s in (1.0, 2.0):
        backlog.put(start(at_s))
        backlog.put(end(at_s))
    backlog.put(DecisionMessage(decision(3.0)))
    backlog.put(start(4.0))
    taken = [backlog.take(0.0), *backlog.take_more(2), *backlog.take_more(9)]
    assert [(each.event.start_s, each.ended) for each in taken] == [
        (1.0, False),
        (1.0, True),
        (2.0, False),
        (2.0, True),
    ]
    assert all(each.is_attempted for each in taken)
    assert backlog.take_more(9) == [], "what was decided before the next event is told before it"
    assert isinstance(backlog.take(0.0), DecisionMessage)
    assert [each.event.start_s for each in backlog.take_more(9)] == [4.0]
