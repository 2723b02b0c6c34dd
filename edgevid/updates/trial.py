"""The trial period: the running classifier confirms its own bundle after enough decisions."""

from __future__ import annotations

import threading
from time import monotonic_ns

from edgevid.events.decide import Decision
from edgevid.outputs.output import QuietOutput
from edgevid.units import NS_PER_S
from edgevid.updates.slots import Slots


class TrialPeriod(QuietOutput):
    """An output that confirms the bundle on trial once.

    An output rather than a timer: a timer would also count a service that starts and then hangs.

    Args:
        slots: Slots of this device.
        period_s: Length of the trial, from the first decision on.
    """

    def __init__(self, slots: Slots, *, period_s: float) -> None:
        self._slots = slots
        self._period_ns = int(period_s * NS_PER_S)
        self._until_ns: int | None = None
        self._confirming: threading.Thread | None = None

    def decided(self, decision: Decision) -> None:
        """Confirm the bundle if its period is over; the decision itself does not matter."""
        if self._confirming is not None:
            return
        # Not the stream's time: a camera whose clock jumps must not end the trial.
        now_ns = monotonic_ns()
        if self._until_ns is None:
            self._until_ns = now_ns + self._period_ns
        if now_ns >= self._until_ns:
            # In a thread, because flushing a card can take longer than a frame.
            self._confirming = threading.Thread(target=self._slots.confirm, name="edgevid-confirm")
            self._confirming.start()

    def close(self) -> None:
        """Wait for a confirmation in progress."""
        if self._confirming is not None:
            self._confirming.join()
