"""The interfaces of everything that takes what the pipeline finds, or looks at its frames."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edgevid.events.decide import Decision, Event
from edgevid.frames import Frame


class Output(Protocol):
    """Takes what the pipeline finds. Called in the loop, so it must be quick, and must not raise for a reader that is slow or gone."""

    def decided(self, decision: Decision) -> None:
        """Take one decision.

        Args:
            decision: Its scores are valid until this returns.
        """
        ...

    def started(self, event: Event) -> None:
        """Take one event that has begun, and has lasted long enough to be sure to end as an event.

        Args:
            event: As it is so far.
        """
        ...

    def ended(self, event: Event) -> None:
        """Take one event that has ended; it was started before.

        Args:
            event: It.
        """
        ...

    def close(self) -> None:
        """Write what is left. Called once, after the last frame, also where the run failed."""
        ...


class QuietOutput:
    """An output that ignores everything: to inherit from where only some of it matters."""

    def decided(self, decision: Decision) -> None:
        """Ignore it."""

    def started(self, event: Event) -> None:
        """Ignore it."""

    def ended(self, event: Event) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Hold nothing."""


class Tap(Protocol):
    """Looks at the frames as the source gives them, as a live page and a recorder of clips do."""

    def saw(self, frame: Frame) -> None:
        """Look at one frame, before any model has. Called in the loop for every frame: copy what is needed, rarely, and return.

        Args:
            frame: Its buffer is valid until this returns.
        """
        ...


@runtime_checkable
class PickyTap(Tap, Protocol):
    """A tap that does not look at every frame and can say which, so that a camera's other frames need not be decoded."""

    def wants(self, timestamp_ns: int) -> bool:
        """Say whether it will look at a frame. Called in another thread than `saw`; nothing changes.

        Args:
            timestamp_ns: The frame's time.

        Returns:
            False only where `saw` would leave the frame alone.
        """
        ...
