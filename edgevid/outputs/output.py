"""Interfaces of the objects that the frame loop calls.

- `Output` receives decisions and events. The loop calls it directly, so no method may block.
- `Tap` receives frames, before any model runs.

An output that may block (a network, a disk, a user's function) is a `Sink` instead, which runs
in a thread of its own: see `edgevid.outputs.delivery.sink`.

A minimal output inherits from `QuietOutput` and overrides the methods it needs:

    class Lamp(QuietOutput):
        def __init__(self, pin: LED) -> None:
            self._pin = pin

        def started(self, event: Event) -> None:
            self._pin.on()

        def ended(self, event: Event) -> None:
            self._pin.off()

    edgevid.run(model, source="picamera2", outputs=[Lamp(LED(17))])
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edgevid.events.decide import Decision, Event
from edgevid.frames import Frame


class Output(Protocol):
    """A receiver of decisions and events that runs in the frame loop.

    For each frame with an answer the loop calls `decided` once, then `ended` for each event that
    the decision ended, then `started` if the decision started one. `started` always comes before
    the `ended` of the same event. An exception ends the run, so an output must handle a receiver
    that is slow or absent itself.
    """

    def decided(self, decision: Decision) -> None:
        """Receive one decision.

        Args:
            decision: Shared by all outputs; treat it as read-only. It may be retained.
        """
        ...

    def started(self, event: Event) -> None:
        """Receive the start of an event.

        Args:
            event: Has `ended` False. It has lasted `min_duration_s`, so its end will follow.
        """
        ...

    def ended(self, event: Event) -> None:
        """Receive the end of an event.

        Args:
            event: Has `ended` True and its final `end_s` and `score`.
        """
        ...

    def close(self) -> None:
        """Write buffered data and release resources.

        Called once, after the last frame and also after a failure of the run.
        """
        ...


class QuietOutput:
    """An output that ignores everything. Inherit from it and override the methods you need."""

    def decided(self, decision: Decision) -> None:
        """Ignore the decision."""

    def started(self, event: Event) -> None:
        """Ignore the start."""

    def ended(self, event: Event) -> None:
        """Ignore the end."""

    def close(self) -> None:
        """Release nothing."""


class Tap(Protocol):
    """A viewer of the source's frames, such as the live page or the recorder."""

    def saw(self, frame: Frame) -> None:
        """Receive one frame before any model does.

        Called in the loop for every frame: copy rarely and return quickly.

        Args:
            frame: The source owns its buffer and may overwrite it after this call.
        """
        ...


@runtime_checkable
class PickyTap(Tap, Protocol):
    """A tap that looks at some frames only, so that a camera need not decode the others."""

    def wants(self, timestamp_ns: int) -> bool:
        """Return whether `saw` would look at a frame. Must not change the tap's state.

        Args:
            timestamp_ns: Sensor time of the frame. The caller is the capture thread.

        Returns:
            False only if `saw` would ignore the frame.
        """
        ...
