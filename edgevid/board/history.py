"""What happened to the board in a stretch of time: the sentence that stands beside every latency figure."""

from __future__ import annotations

from edgevid.board.state import BoardState
from edgevid.board.throttling import NOW, describe


class BoardHistory:
    """Gathers looks at the board.

    Attributes:
        samples: How many.
        latest: The last one, None before the first.
        throttled: What the firmware reported at any of them as going on, or as having happened since the one before.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.first: BoardState | None = None
        self.latest: BoardState | None = None
        self._peak_c: float | None = None
        self._bits = 0

    def add(self, state: BoardState) -> None:
        """Take one look.

        Args:
            state: Later than the one before.
        """
        before = self.latest
        self.first = self.first or state
        self.latest = state
        self.samples += 1
        if state.temperature_c is not None:
            self._peak_c = max(state.temperature_c, self._peak_c or state.temperature_c)
        if state.throttling:
            # Something may come and go between two looks; then only its history bit says so, which a look before did not have.
            had = before.throttling.bits if before and before.throttling else state.throttling.bits
            self._bits |= state.throttling.bits | (state.throttling.bits & ~had) >> 16

    @property
    def throttled(self) -> tuple[str, ...]:
        """Names of `throttling.NOW`."""
        return tuple(name for name, bit in NOW.items() if self._bits & bit)

    def as_json(self) -> dict[str, object]:
        """Give everything as a JSON object.

        Returns:
            `before` and `after` as `BoardState.as_json`, `peak_c`, and `throttled_during`: a list, or None where the board does not tell.
        """
        tells = self.latest is not None and self.latest.throttling is not None
        return {
            "before": self.first.as_json() if self.first else None,
            "after": self.latest.as_json() if self.latest else None,
            "peak_c": self._peak_c,
            "throttled_during": list(self.throttled) if tells else None,
        }

    def as_text(self) -> str:
        """Say it in one or two lines.

        Returns:
            Lines without an end of line.
        """
        if self.first is None or self.latest is None:
            return "board: not looked at"
        lines = [f"board: {self._heat()}, {_clock(self.latest)}, {self._firmware()}"]
        if self.throttled:
            lines.append(
                f"THESE FIGURES ARE OF A SLOWED BOARD: during the run {describe(self.throttled)}. Do not compare them with others."
            )
        return "\n".join(lines)

    def _heat(self) -> str:
        if self.first is None or self.latest is None or self._peak_c is None:
            return "temperature not told"
        fan = f", fan {self.latest.fan_rpm} RPM" if self.latest.fan_rpm is not None else ""
        return f"{self.first.temperature_c} °C before, {self.latest.temperature_c} °C after, {self._peak_c} °C at most{fan}"

    def _firmware(self) -> str:
        told = self.latest.throttling if self.latest else None
        if told is None:
            return "throttling not told"
        since_start = f"; since the board's start: {describe(told.happened)}" if told.happened else ""
        return f"throttled during the run: {describe(self.throttled) if self.throttled else 'no'}{since_start}"


def _clock(state: BoardState) -> str:
    if state.clock_mhz is None:
        return "clock not told"
    return f"{state.clock_mhz} of {state.clock_max_mhz} MHz ({state.governor})"
