"""Lines on a stream: JSON for programs, sentences for people."""

from __future__ import annotations

import io
import json
import os
from time import monotonic_ns
from typing import Any, TextIO

from edgevid.events.decide import Decision, Event
from edgevid.outputs import payload
from edgevid.outputs.output import QuietOutput

# A terminal need not be redrawn faster than a person reads.
_REDRAW_NS = 100_000_000
_DIGITS = 6


class Descriptor(io.TextIOBase):
    """Writes text to a file descriptor, line by line and without a buffer or a lock.

    A thread that hangs in a write to standard output would hold the lock of `sys.stdout`, and the process could not even end.

    Args:
        number: The descriptor; stays open.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, text: str) -> int:
        """Write all of it.

        Args:
            text: Any.

        Returns:
            Its length.
        """
        data = text.encode()
        while data:
            data = data[os.write(self._number, data) :]
        return len(text)


class JsonLines(QuietOutput):
    """One JSON object a decision and one an event, each flushed as a line.

    A decision has `t_s`, `label`, `score`, `scores` (label to probability) and `age_ms`, and `values` (name to numbers) where the model gives more than
    scores; an event has `event`, `start_s`, `end_s`, `score`.

    Args:
        stream: Where to; it stays open.
        several: Whether several models run: each object then has its model's name, as `model`.
    """

    def __init__(self, stream: TextIO, *, several: bool = False) -> None:
        self._stream = stream
        self._several = several

    def decided(self, decision: Decision) -> None:
        """Write a decision.

        Args:
            decision: It.
        """
        self._write(decision.model, payload.decision(decision))

    def ended(self, event: Event) -> None:
        """Write an event.

        Args:
            event: It.
        """
        times = {"start_s": round(event.start_s, _DIGITS), "end_s": round(event.end_s, _DIGITS)}
        self._write(event.model, {"event": event.label, **times, "score": round(event.score, _DIGITS)})

    def _write(self, model: str, value: dict[str, Any]) -> None:
        if self._several:
            value = {"model": model, **value}
        self._stream.write(json.dumps(value, allow_nan=False, ensure_ascii=False) + "\n")
        self._stream.flush()


class EventLines(QuietOutput):
    """One readable line an event, and on a terminal a line that shows what the model sees now.

    Args:
        stream: Where events go.
        status: Where the live line goes; left alone where it is no terminal.
        several: Whether several models run: each line then has its model's name.
    """

    def __init__(self, stream: TextIO, status: TextIO, *, several: bool = False) -> None:
        self._stream = stream
        self._several = several
        self._status = status if status.isatty() else None
        self._drawn_ns = -_REDRAW_NS

    def decided(self, decision: Decision) -> None:
        """Redraw the live line, if it is time to.

        Args:
            decision: Shown.
        """
        now_ns = monotonic_ns()
        if self._status is None or now_ns - self._drawn_ns < _REDRAW_NS:
            return
        self._drawn_ns = now_ns
        ongoing = decision.ongoing
        event = f"  [{ongoing.label} since {ongoing.start_s:.1f} s]" if ongoing else ""
        self._redraw(f"{decision.t_s:9.2f} s  {self._of(decision.model)}{decision.label} {decision.score:.2f}{event}")

    def ended(self, event: Event) -> None:
        """Write an event.

        Args:
            event: It.
        """
        self._redraw("")
        self._stream.write(
            f"{event.start_s:9.2f} s to {event.end_s:9.2f} s  {self._of(event.model)}{event.label}  {event.score:.2f}\n"
        )
        self._stream.flush()

    def close(self) -> None:
        """Clear the live line."""
        self._redraw("")

    def _of(self, model: str) -> str:
        return f"{model}: " if self._several else ""

    def _redraw(self, text: str) -> None:
        if self._status is not None:
            self._status.write(f"\r\x1b[K{text}")
            self._status.flush()
