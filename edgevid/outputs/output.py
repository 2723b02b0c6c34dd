"""The one interface that everything which takes decisions and events has."""

from __future__ import annotations

from typing import Protocol

from edgevid.decide import Decision, Event


class Output(Protocol):
    """Takes what the pipeline finds. Called in the loop, so it must be quick, and must not raise for a reader that is slow or gone."""

    def decided(self, decision: Decision, ongoing: Event | None) -> None:
        """Take one decision.

        Args:
            decision: Its scores are valid until this returns.
            ongoing: The event that is going on at its time, if any.
        """
        ...

    def ended(self, event: Event) -> None:
        """Take one event that has ended.

        Args:
            event: It.
        """
        ...

    def close(self) -> None:
        """Write what is left. Called once, after the last frame, also where the run failed."""
        ...
