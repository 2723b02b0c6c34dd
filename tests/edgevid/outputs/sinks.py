"""Events, decisions and outputs to test the way out with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgevid.errors import OutputError
from edgevid.events.decide import Decision, Event
from edgevid.outputs.delivery.sink import Sink

LABELS = ("none", "wave", "swipe")


def decision(t_s: float, label: str = "wave", *, score: float = 0.75, model: str = "tiny") -> Decision:
    """A decision for one label."""
    scores = [score if each == label else (1 - score) / 2 for each in LABELS]
    return Decision(t_s, label, score, scores, 12.0, LABELS, model)


def event(
    start_s: float,
    end_s: float | None = None,
    *,
    label: str = "wave",
    model: str = "tiny",
    ended: bool | None = None,
) -> Event:
    """A whole event if an end is given or `ended` says so; else the report of its start."""
    until_s = start_s + 0.2 if end_s is None else end_s
    is_end = end_s is not None if ended is None else ended
    return Event(label, start_s, until_s, 0.9, 40.0, model, is_end, announced_s=start_s)


class Told(Sink):
    """Writes down what it is told, as "decision 1.0", "start 1.0" and "end 1.0".

    Args:
        fault: Called before each; may raise or wait.
    """

    def __init__(self, fault: Callable[[str], None] = lambda _told: None) -> None:
        self.told: list[str] = []
        self.closed = 0
        self._fault = fault

    def decided(self, decision: Decision) -> None:
        self._tell(f"decision {decision.t_s}")

    def started(self, event: Event) -> None:
        self._tell(f"start {event.start_s}")

    def ended(self, event: Event) -> None:
        self._tell(f"end {event.start_s}")

    def close(self) -> None:
        self.closed += 1

    def _tell(self, what: str) -> None:
        self._fault(what)
        self.told.append(what)


class Gate:
    """A fault that makes an output wait until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()

    def __call__(self, told: str) -> None:
        self.reached.set()
        self.open.wait(20)


class Away:
    """A fault that makes an output's other side away until `back` is set."""

    def __init__(self) -> None:
        self.back = False
        self.tries = 0

    def __call__(self, told: str) -> None:
        self.tries += 1
        if not self.back:
            raise OutputError("Expected the other side, it is away.")


def until(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    """Wait for something that another thread does."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.005)
