"""What becomes of the messages of one delivery attempt."""

from __future__ import annotations

import pytest

from edgevid.errors import OutputError, OutputRefused
from edgevid.outputs.delivery.backlog import DecisionMessage, EventMessage
from edgevid.outputs.delivery.ticket import Outcome, Ticket
from tests.edgevid.outputs.sinks import decision, event


@pytest.mark.parametrize(
    ("error", "is_essential", "outcome"),
    [
        (OutputRefused("no"), False, Outcome.REJECTED),
        (OutputRefused("no"), True, Outcome.REJECTED),
        (OutputError("away"), False, Outcome.AWAY),
        (OutputError("away"), True, Outcome.AWAY),
        (BrokenPipeError("gone"), False, Outcome.BROKEN),
        (BrokenPipeError("gone"), True, Outcome.FATAL),
        (ValueError("bug"), False, Outcome.BROKEN),
        (ValueError("bug"), True, Outcome.BROKEN),
    ],
)
def test_the_error_of_a_sink_decides_what_becomes_of_its_messages(
    error: Exception, is_essential: bool, outcome: Outcome
) -> None:
    assert Outcome.of(error, is_essential=is_essential) is outcome


def test_a_message_is_settled_once() -> None:
    first, second = EventMessage(event(1.0)), EventMessage(event(2.0))
    ticket = Ticket([first, second])
    assert ticket.settle(first)
    assert not ticket.settle(first)
    assert ticket.messages == (second,)


def test_messages_that_were_taken_away_are_not_settled_and_not_taken_away_again() -> None:
    settled, left = EventMessage(event(1.0)), EventMessage(event(1.0, 2.0))
    ticket = Ticket([settled, left])
    ticket.settle(settled)
    assert ticket.revoke() == [left]
    assert ticket.is_revoked
    assert not ticket.settle(left)
    assert ticket.revoke() == []


def test_starts_and_ends_are_counted_and_decisions_are_not() -> None:
    assert Ticket([EventMessage(event(1.0)), EventMessage(event(1.0, 2.0))]).events == 2
    assert Ticket([DecisionMessage(decision(1.0))]).events == 0
