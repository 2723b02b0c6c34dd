"""The board's history during a run: a summary to print next to latency figures."""

from __future__ import annotations

from edgevid.board.state import BoardState
from edgevid.board.throttling import HISTORY_SHIFT, NOW, describe


class BoardHistory:
    """The range of board states during a run.

    Attributes:
        samples: Number of states added.
        first: The first state; None before it.
        latest: The last state; None before the first.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.first: BoardState | None = None
        self.latest: BoardState | None = None
        self._peak_c: float | None = None
        self._bits = 0

    def add(self, state: BoardState) -> None:
        """Add a state that is newer than all before it."""
        before = self.latest
        self.first = self.first or state
        self.latest = state
        self.samples += 1
        if state.temperature_c is not None:
            self._peak_c = max(state.temperature_c, self._peak_c or state.temperature_c)
        if state.throttling:
            # A condition may come and go between two samples. Only its history bit shows that: it
            # is set now and was not set before. The first sample has no predecessor, so its history
            # bits belong to the time before the run.
            bits_before = before.throttling.bits if before and before.throttling else state.throttling.bits
            self._bits |= state.throttling.bits | (state.throttling.bits & ~bits_before) >> HISTORY_SHIFT

    @property
    def throttled(self) -> tuple[str, ...]:
        """Conditions reported during the run: names of `throttling.NOW`."""
        return tuple(name for name, bit in NOW.items() if self._bits & bit)

    def as_json(self) -> dict[str, object]:
        """Return everything as a JSON object.

        Returns:
            `before` and `after` as `BoardState.as_json`, `peak_c`, and `throttled_during`: a list
            of conditions, or None if the board does not report throttling.
        """
        is_reported = self.latest is not None and self.latest.throttling is not None
        return {
            "before": self.first.as_json() if self.first else None,
            "after": self.latest.as_json() if self.latest else None,
            "peak_c": self._peak_c,
            "throttled_during": list(self.throttled) if is_reported else None,
        }

    def as_text(self) -> str:
        """Return a summary of one line, and a second one if the board was throttled."""
        if self.first is None or self.latest is None:
            return "board: not sampled"
        lines = [f"board: {self._heat()}, {_clock(self.latest)}, {self._firmware()}"]
        if self.throttled:
            lines.append(
                f"THESE FIGURES ARE OF A SLOWED BOARD: during the run {describe(self.throttled)}. "
                "Do not compare them with others."
            )
        return "\n".join(lines)

    def _heat(self) -> str:
        if self.first is None or self.latest is None or self._peak_c is None:
            return "temperature unknown"
        before_c, after_c = self.first.temperature_c, self.latest.temperature_c
        fan = f", fan {self.latest.fan_rpm} RPM" if self.latest.fan_rpm is not None else ""
        return f"{before_c} °C before, {after_c} °C after, {self._peak_c} °C at most{fan}"

    def _firmware(self) -> str:
        throttling = self.latest.throttling if self.latest else None
        if throttling is None:
            return "throttling unknown"
        since_start = f"; since the board's start: {describe(throttling.happened)}" if throttling.happened else ""
        return f"throttled during the run: {describe(self.throttled) if self.throttled else 'no'}{since_start}"


def _clock(state: BoardState) -> str:
    if state.clock_mhz is None:
        return "clock unknown"
    return f"{state.clock_mhz} of {state.clock_max_mhz} MHz ({state.governor})"
