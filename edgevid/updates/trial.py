"""The trial period: the running classifier confirms its own bundle after enough decisions."""

from __future__ import annotations

import logging
import threading
from time import monotonic_ns

from edgevid.errors import SlotsError
from edgevid.events.decide import Decision
from edgevid.outputs.output import QuietOutput
from edgevid.units import NS_PER_S
from edgevid.updates.slots import Slots

_log = logging.getLogger(__name__)
# A full card is emptied by a person, within hours rather than seconds.
RETRY_S = 60.0


class TrialPeriod(QuietOutput):
    """An output that confirms the bundle on trial once.

    An output rather than a timer: a timer would also count a service that starts and then hangs.

    Args:
        slots: Slots of this device.
        period_s: Length of the trial, from the first decision on.
        sha256: SHA-256 of the bundle that runs; empty to confirm whichever is on trial.
        retry_s: Pause after a confirmation that could not be written.
    """

    def __init__(self, slots: Slots, *, period_s: float, sha256: str = "", retry_s: float = RETRY_S) -> None:
        self._slots = slots
        self._sha256 = sha256
        self._period_ns, self._retry_ns = int(period_s * NS_PER_S), int(retry_s * NS_PER_S)
        self._until_ns: int | None = None
        self._confirming: threading.Thread | None = None
        self._is_confirmed = False
        self._problem = ""

    def decided(self, decision: Decision) -> None:
        """Confirm the bundle if its period is over; the decision itself does not matter."""
        if self._is_confirmed or (self._confirming and self._confirming.is_alive()):
            return
        # Not the stream's time: a camera whose clock jumps must not end the trial.
        now_ns = monotonic_ns()
        if self._until_ns is None:
            self._until_ns = now_ns + self._period_ns
        if now_ns >= self._until_ns:
            self._until_ns = now_ns + self._retry_ns
            # In a thread, because flushing a card can take longer than a frame.
            self._confirming = threading.Thread(target=self._confirm, name="edgevid-confirm")
            self._confirming.start()

    def close(self) -> None:
        """Wait for a confirmation in progress."""
        if self._confirming is not None:
            self._confirming.join()

    def _confirm(self) -> None:
        try:
            self._slots.confirm(running=self._sha256)
        except (OSError, SlotsError) as error:
            # Once per reason, as the card may stay full for days.
            if str(error) != self._problem:
                _log.warning("edgevid: the bundle on trial cannot be confirmed and is tried again: %s", error)
            self._problem = str(error)
        else:
            self._is_confirmed = True
