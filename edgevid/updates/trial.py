"""A bundle on trial confirms itself: it has given answers for its whole trial period without its process ending."""

from __future__ import annotations

import threading
from time import monotonic_ns

from edgevid.events.decide import Decision
from edgevid.outputs.output import QuietOutput
from edgevid.updates.slots import Slots

_NS_PER_S = 1_000_000_000


class TrialPeriod(QuietOutput):
    """An output that confirms the bundle on trial, once.

    Args:
        slots: Of this device.
        period_s: From the first answer on.
    """

    def __init__(self, slots: Slots, *, period_s: float) -> None:
        self._slots = slots
        self._period_ns = int(period_s * _NS_PER_S)
        self._until_ns: int | None = None
        self._confirming: threading.Thread | None = None

    def decided(self, decision: Decision) -> None:
        """Look at the clock.

        Args:
            decision: That there is one is enough.
        """
        if self._confirming is not None:
            return
        now_ns = monotonic_ns()
        if self._until_ns is None:
            self._until_ns = now_ns + self._period_ns
        if now_ns >= self._until_ns:
            # Flushing to a card can take longer than the next frame.
            self._confirming = threading.Thread(target=self._slots.confirm, name="edgevid-confirm")
            self._confirming.start()

    def close(self) -> None:
        """Wait for a confirmation that is being written."""
        if self._confirming is not None:
            self._confirming.join()
