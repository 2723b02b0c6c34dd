"""How the run is doing, in one flat look that every way out shows: rates, latency, drops, memory, heat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic_ns

from edgevid.telemetry.environment import rss_mib
from edgevid.telemetry.telemetry import Telemetry

BoardFacts = Callable[[], Mapping[str, float]]
_NS_PER_S = 1e9


def no_board() -> Mapping[str, float]:
    """Tell nothing of a board.

    Returns:
        No facts.
    """
    return {}


class Rate:
    """How often a counter grew, a second, between two looks at least `least_s` apart.

    Args:
        least_s: A look sooner gives the last rate again.
    """

    def __init__(self, least_s: float = 0.9) -> None:
        self._least_ns = least_s * _NS_PER_S
        self._count, self._at_ns = 0, monotonic_ns()
        self._per_s = 0.0

    def of(self, count: int, *, now_ns: int | None = None) -> float:
        """Look.

        Args:
            count: The counter now.
            now_ns: Monotonic time; that of the call where None.

        Returns:
            Growth a second.
        """
        now_ns = monotonic_ns() if now_ns is None else now_ns
        passed_ns = now_ns - self._at_ns
        if passed_ns >= self._least_ns:
            self._per_s = (count - self._count) / (passed_ns / _NS_PER_S)
            self._count, self._at_ns = count, now_ns
        return self._per_s


class RunStatus:
    """Reads telemetry, memory and board. Each way out has one of its own, for rates are between two looks.

    Args:
        telemetry: Of each model, by name; they share the source.
        board: Gives facts such as `temperature_c`, `clock_mhz`, `fan_rpm`, `throttled`, `under_voltage`; see `docs/outputs.md`.
    """

    def __init__(self, telemetry: Mapping[str, Telemetry], *, board: BoardFacts = no_board) -> None:
        self._telemetry = dict(telemetry)
        self._first = next(iter(self._telemetry.values()))
        self._board = board
        self._camera = Rate()
        self._models = {name: Rate() for name in self._telemetry}

    def camera_fps(self) -> float:
        """Give the rate of the source.

        Returns:
            Frames a second.
        """
        return self._camera.of(self._first.seen)

    def model_fps(self) -> dict[str, float]:
        """Give the rate of each model.

        Returns:
            Frames that it took, a second, by name.
        """
        return {name: rate.of(self._telemetry[name].taken) for name, rate in self._models.items()}

    def board(self) -> Mapping[str, float]:
        """Give what the board tells.

        Returns:
            Facts by name; none where there is no board to ask.
        """
        return self._board()

    def snapshot(self) -> dict[str, float | int | None]:
        """Look at everything.

        Returns:
            `camera_fps`, `model_fps` (of the first model), `frames`, `decisions`, `events`, `dropped` (frames, all causes), `gaps`,
            `age_p50_ms`, `age_p99_ms`, `rss_mib`, `pace_level` (the highest), `fallbacks` (models that lost their accelerator), and the board's
            facts.
        """
        age = self._first.age.latency()
        every = self._telemetry.values()
        return {
            "camera_fps": round(self.camera_fps(), 2),
            "model_fps": round(next(iter(self.model_fps().values())), 2),
            "frames": self._first.seen,
            "decisions": sum(each.decisions for each in every),
            "events": sum(each.events for each in every),
            "dropped": sum(self._first.drops.values()),
            "gaps": self._first.gaps,
            "age_p50_ms": round(age.p50_ms, 2),
            "age_p99_ms": round(age.p99_ms, 2),
            "pace_level": max(each.pace_level for each in every),
            "fallbacks": sum(bool(each.fallback) for each in every),
            "rss_mib": None if (memory := rss_mib()) is None else round(memory, 1),
            **self._board(),
        }
