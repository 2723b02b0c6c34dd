"""Where the time of a frame goes, and where frames go: latency histograms and counters for one run.

The loop writes a row a frame into memory that was set aside before the run; percentiles are worked out when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevid.tables import table
from edgevid.telemetry.environment import rss_mib
from edgevid.telemetry.latency import Latency, LatencySamples, Ledger

STAGES: Mapping[str, str] = {
    "preprocess": "cut, resize, colour",
    "encode": "encoder, in the interpreter",
    "head": "head or whole model, in the interpreter",
    "decide": "smoothing and events",
    "emit": "outputs",
    "outside": "all but the interpreter",
    "total": "from frame to outputs",
    "age": "of an answer: sensor to decision",
    "phase": "a frame's time after the one it was due at",
}


class Telemetry:
    """Latency by stage and frames by fate, of one run.

    Attributes:
        seen: Frames that the source gave.
        taken: Frames that the sampler took.
        gaps: Restarts of the window because time jumped.
        decisions: Answers given.
        events: Events that ended.
        reconnects: How often the source was opened again.
        still: Frames of a scene that stood still, for which the encoder did not run.
        unanswered: Frames that were taken and got no answer, because the device could not keep up.
        pace_level: How much is given up for that now, see `edgevid.supervision.pace.LEVELS`; 0 for nothing.
        pace_changes: How often that changed.
        fallback: Why the model runs on the CPU though it was to run on an accelerator; empty where it does not.
        began_ns: When the first frame came, on this machine's monotonic clock; 0 before.
        latest_ns: When the last one came.
        drops: Frames lost, by cause; "source" are those that the source counted and did not give, "late" those for which the loop was too slow,
            "torn" those that a live source spoilt, "pace" those that were due and left out because the device could not keep up.
        note: Writes the time of one frame in each of `STAGES`, in their order, in nanoseconds; `histogram.NONE` where it was not in that stage.
    """

    def __init__(self) -> None:
        self.seen = self.taken = self.gaps = self.decisions = self.events = self.reconnects = self.still = 0
        self.unanswered = self.pace_level = self.pace_changes = 0
        self.fallback = ""
        self.began_ns = self.latest_ns = 0
        self.drops: dict[str, int] = {"source": 0, "late": 0}
        ledger = Ledger(len(STAGES))
        self.note = ledger.note
        columns = (LatencySamples(ledger, column) for column in range(len(STAGES)))
        (
            self.preprocess,
            self.encode,
            self.head,
            self.decide,
            self.emit,
            self.outside,
            self.total,
            self.age,
            self.phase,
        ) = columns

    @property
    def skipped(self) -> int:
        """Frames between two due times."""
        return self.seen - self.taken

    def saw(self, now_ns: int) -> None:
        """Count a frame of the source.

        Args:
            now_ns: Monotonic time at which it came.
        """
        self.seen += 1
        self.latest_ns = now_ns
        if not self.began_ns:
            self.began_ns = now_ns

    @property
    def fps(self) -> dict[str, float]:
        """Frames a second, over the run: those that the source gave, and those that the model took."""
        seconds = (self.latest_ns - self.began_ns) / 1e9
        if seconds <= 0:
            return {"source": 0.0, "model": 0.0}
        return {"source": (self.seen - 1) / seconds, "model": max(0, self.taken - 1) / seconds}

    def stages(self) -> dict[str, Latency]:
        """Summarise each stage that was recorded.

        Returns:
            Stage to latency, in the order of `STAGES`.
        """
        found: dict[str, LatencySamples] = {name: getattr(self, name) for name in STAGES}
        return {name: histogram.latency() for name, histogram in found.items() if histogram.count}

    def as_json(self) -> dict[str, Any]:
        """Give everything as a JSON object.

        Returns:
            `frames`, `drops`, `latency_ms` by stage and `rss_mib`.
        """
        return {
            "frames": {
                "seen": self.seen,
                "taken": self.taken,
                "skipped": self.skipped,
                "gaps": self.gaps,
                "reconnects": self.reconnects,
                "still": self.still,
            },
            "fps": {name: round(value, 2) for name, value in self.fps.items()},
            "drops": dict(self.drops),
            "pace": {"level": self.pace_level, "changes": self.pace_changes, "unanswered": self.unanswered},
            "fallback": self.fallback,
            "decisions": self.decisions,
            "events": self.events,
            "latency_ms": {name: _rounded(latency) for name, latency in self.stages().items()},
            "rss_mib": _round(rss_mib(), 1),
        }

    def as_table(self) -> str:
        """Lay everything out for people.

        Returns:
            Lines without an end of line.
        """
        rows: list[tuple[object, ...]] = [("stage", "count", "p50 ms", "p95 ms", "p99 ms", "max ms", "what")]
        rows += [
            (name, s.count, s.p50_ms, s.p95_ms, s.p99_ms, s.max_ms, STAGES[name]) for name, s in self.stages().items()
        ]
        still = f" of which {self.still} still," if self.still else ""
        lost = ", ".join(f"{cause} {count}" for cause, count in self.drops.items())
        memory = rss_mib()
        return (
            f"{table(rows)}\n"
            f"frames: {self.seen} seen, {self.taken} taken,{still} {self.skipped} between due times, gaps {self.gaps}; "
            f"reconnects {self.reconnects}; dropped: {lost}\n"
            f"{self.decisions} decisions, {self.events} events; {self.fps['source']:.1f} frames a second from the source, "
            f"{self.fps['model']:.1f} to the model"
            + (f"; resident memory {memory:.1f} MiB" if memory else "")
            + self._given_up()
        )

    def _given_up(self) -> str:
        """Lines for what was not as asked for, each with its line end before it."""
        lines = f"\non the CPU in place of the accelerator: {self.fallback}" if self.fallback else ""
        if self.pace_changes:
            lines += f"\npace: changed {self.pace_changes} times, now at level {self.pace_level}; {self.unanswered} frames without an answer of their own"
        return lines


def _rounded(latency: Latency) -> dict[str, float | int]:
    return {
        "count": latency.count,
        "p50": round(latency.p50_ms, 4),
        "p95": round(latency.p95_ms, 4),
        "p99": round(latency.p99_ms, 4),
        "max": round(latency.max_ms, 4),
    }


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
