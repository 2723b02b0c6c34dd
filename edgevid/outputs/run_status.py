"""The status of a run in one flat dict: rates, latency, drops, memory and temperature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic_ns

from edgevid.telemetry.environment import rss_mib
from edgevid.telemetry.telemetry import Telemetry
from edgevid.units import NS_PER_S

BoardFacts = Callable[[], Mapping[str, float]]


def no_board() -> Mapping[str, float]:
    """Return the facts of an unknown board: none."""
    return {}


class Rate:
    """The growth of a counter per second, between two calls at least `least_s` apart.

    Args:
        least_s: An earlier call returns the last rate again.
    """

    def __init__(self, least_s: float = 0.9) -> None:
        self._least_ns = least_s * NS_PER_S
        self._count, self._at_ns = 0, monotonic_ns()
        self._per_s = 0.0

    def of(self, count: int, *, now_ns: int | None = None) -> float:
        """Return the growth per second since the last call.

        Args:
            count: The counter now.
            now_ns: Time on the monotonic clock; read here if None.
        """
        now_ns = monotonic_ns() if now_ns is None else now_ns
        passed_ns = now_ns - self._at_ns
        if passed_ns >= self._least_ns:
            self._per_s = (count - self._count) / (passed_ns / NS_PER_S)
            self._count, self._at_ns = count, now_ns
        return self._per_s


class RunStatus:
    """Reads telemetry, memory and board.

    Each output needs an instance of its own: a rate covers the time since its last call.

    Args:
        telemetry: Telemetry of each model, by name. They share the source.
        board: Returns facts such as `temperature_c`, `clock_mhz`, `fan_rpm`, `throttled` and
            `under_voltage`; see `docs/reference/outputs.md`.
    """

    def __init__(self, telemetry: Mapping[str, Telemetry], *, board: BoardFacts = no_board) -> None:
        self._telemetry = dict(telemetry)
        self._first = next(iter(self._telemetry.values()))
        self._board = board
        self._camera = Rate()
        self._models = {name: Rate() for name in self._telemetry}

    def camera_fps(self) -> float:
        """Return the rate of the source in frames per second."""
        return self._camera.of(self._first.seen)

    def model_fps(self) -> dict[str, float]:
        """Return the rate at which each model takes frames, in frames per second, by name."""
        return {name: rate.of(self._telemetry[name].taken) for name, rate in self._models.items()}

    def board(self) -> Mapping[str, float]:
        """Return the board's facts by name; empty without a known board."""
        return self._board()

    def snapshot(self) -> dict[str, float | int | None]:
        """Return the current status.

        Returns:
            `camera_fps`, `model_fps` (of the first model), `frames`, `decisions`, `events`,
            `dropped` (frames, all causes), `gaps`, `starved` (models for which the
            source is too slow), `age_p50_ms`, `age_p99_ms`, `rss_mib`,
            `pace_level` (the highest), `fallbacks` (models that lost their accelerator), and the
            board's facts.
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
            "starved": sum(each.is_starved for each in every),
            "age_p50_ms": round(age.p50_ms, 2),
            "age_p99_ms": round(age.p99_ms, 2),
            "pace_level": max(each.pace_level for each in every),
            "fallbacks": sum(bool(each.fallback) for each in every),
            "rss_mib": None if (memory := rss_mib()) is None else round(memory, 1),
            **self._board(),
        }
