"""Keeps everything in memory: for reports, notebooks and tests."""

from __future__ import annotations

import dataclasses

from edgevid.decide import Decision, Event


class Collector:
    """Holds every decision and event of a run.

    Attributes:
        decisions: In order, each with its own copy of the scores.
        events: In the order they ended.
    """

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.events: list[Event] = []

    def decided(self, decision: Decision, ongoing: Event | None) -> None:
        """Keep a decision.

        Args:
            decision: Copied with its scores.
            ongoing: Not kept.
        """
        self.decisions.append(dataclasses.replace(decision, scores=decision.scores.copy()))

    def ended(self, event: Event) -> None:
        """Keep an event.

        Args:
            event: It.
        """
        self.events.append(event)

    def close(self) -> None:
        """Keep everything."""
