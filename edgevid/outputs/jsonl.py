"""Lines on a stream: JSON for programs, sentences for people."""

from __future__ import annotations

import io
import json
import os
from time import monotonic_ns
from typing import Any, TextIO, cast

from edgevid.events.decide import Decision, Event
from edgevid.outputs import payload
from edgevid.outputs.output import QuietOutput

# People cannot read a faster status line.
_REDRAW_NS = 100_000_000
_CLEAR_LINE = "\r\x1b[K"
_DIGITS = 6


class _Descriptor(io.TextIOBase):
    """A text stream on a file descriptor, without a buffer or a lock.

    A thread that hangs in a write to `sys.stdout` would hold its lock, and the interpreter, which
    flushes it at exit, could not end.

    Args:
        number: The file descriptor; stays open.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, text: str) -> int:
        """Write the whole text and return its length."""
        data = text.encode()
        while data:
            # A pipe may accept a part only.
            data = data[os.write(self._number, data) :]
        return len(text)


def unbuffered(stream: TextIO) -> TextIO:
    """Return a stream on the same descriptor, or the stream itself if it has none, as in a notebook."""
    try:
        return cast("TextIO", _Descriptor(stream.fileno()))
    except io.UnsupportedOperation:
        return stream


class JsonLines(QuietOutput):
    """A JSON object per decision and per event, each written as one line and flushed.

    A decision has the fields of `payload.decision`; an event has `event`, `start_s`, `end_s`,
    `announced_s` and `score`.

    Args:
        stream: Stays open.
        several: Whether several models run; each object then has the model's name in `model`.
    """

    def __init__(self, stream: TextIO, *, several: bool = False) -> None:
        self._stream = stream
        self._several = several

    def decided(self, decision: Decision) -> None:
        """Write a decision."""
        self._write(decision.model, payload.decision(decision))

    def ended(self, event: Event) -> None:
        """Write a whole event."""
        times = {name: round(getattr(event, name), _DIGITS) for name in ("start_s", "end_s", "announced_s")}
        self._write(event.model, {"event": event.label, **times, "score": round(event.score, _DIGITS)})

    def _write(self, model: str, fields: dict[str, Any]) -> None:
        if self._several:
            fields = {"model": model, **fields}
        self._stream.write(json.dumps(fields, allow_nan=False, ensure_ascii=False) + "\n")
        self._stream.flush()


class EventLines(QuietOutput):
    """A readable line per event and per repetition and, on a terminal, a status line with the current decision.

    Args:
        stream: For events and repetitions; stays open.
        status: For the status line, which is left out if this is not a terminal.
        several: Whether several models run; each line then has the model's name.
    """

    def __init__(self, stream: TextIO, status: TextIO, *, several: bool = False) -> None:
        self._stream = stream
        self._several = several
        self._status = status if status.isatty() else None
        self._drawn_ns = -_REDRAW_NS
        self._counts: dict[tuple[str, str], int] = {}

    def decided(self, decision: Decision) -> None:
        """Write counts that have risen, and redraw the status line at most ten times a second."""
        for name, count in decision.counts.items():
            if count > self._counts.get((decision.model, name), 0):
                self._counts[decision.model, name] = count
                self._line(f"{decision.t_s:9.2f} s  {self._prefix(decision.model)}{name} number {count}")
        now_ns = monotonic_ns()
        if self._status is None or now_ns - self._drawn_ns < _REDRAW_NS:
            return
        self._drawn_ns = now_ns
        ongoing = decision.ongoing
        event = f"  [{ongoing.label} since {ongoing.start_s:.1f} s]" if ongoing else ""
        prefix = self._prefix(decision.model)
        self._redraw(f"{decision.t_s:9.2f} s  {prefix}{decision.label} {decision.score:.2f}{event}")

    def ended(self, event: Event) -> None:
        """Write a whole event."""
        prefix = self._prefix(event.model)
        self._line(f"{event.start_s:9.2f} s to {event.end_s:9.2f} s  {prefix}{event.label}  {event.score:.2f}")

    def close(self) -> None:
        """Clear the status line."""
        self._redraw("")

    def _line(self, text: str) -> None:
        # Stream and status may be the same terminal.
        self._redraw("")
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _prefix(self, model: str) -> str:
        return f"{model}: " if self._several else ""

    def _redraw(self, text: str) -> None:
        if self._status is not None:
            self._status.write(_CLEAR_LINE + text)
            self._status.flush()
