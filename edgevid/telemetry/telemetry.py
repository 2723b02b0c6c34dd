"""Telemetry of a run: latency by stage, and counters of frames by fate.

The loop only writes numbers; percentiles are computed on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevid.tables import table
from edgevid.telemetry.environment import rss_mib
from edgevid.telemetry.latency import Latency, LatencySamples, Ledger
from edgevid.units import NS_PER_S

# Name of each stage, and its description in the table. The order is that of a row of `Telemetry.note`.
STAGES: Mapping[str, str] = {
    "preprocess": "cut, resize, colour",
    "encode": "encoder, in the interpreter",
    "head": "head or whole model, in the interpreter",
    "decide": "smoothing and events",
    "emit": "outputs",
    "outside": "all but the interpreter",
    "total": "from frame to outputs",
    "age": "age of an answer: sensor to decision",
    "phase": "delay of a frame after its due time",
}


class Telemetry:
    """Latency by stage and counters of one run of one model.

    Attributes:
        seen: Frames that the source delivered.
        taken: Frames that the sampler took.
        missed: Due times of the model that passed without a frame.
        is_starved: Whether the source now delivers too few frames for the model.
        gaps: Restarts of the window because of a jump in time.
        decisions: Answers of the model.
        events: Events that ended.
        reconnects: Times that the source was reopened.
        still: Frames of a still scene, for which the encoder was skipped.
        unanswered: Taken frames without an answer, because the device could not keep up.
        pace_level: Current pace level, an index into `edgevid.supervision.pace.LEVELS`; 0 for full quality.
        pace_changes: Times that the level changed.
        fallback: Reason why the model runs on the CPU and not on an accelerator; empty if it runs
            as requested.
        unsaved: Reason why the device's folder of bundles could not be written at the start; empty
            if it could.
        began_ns: Arrival of the first frame on this machine's monotonic clock; 0 before.
        latest_ns: Arrival of the latest frame.
        drops: Lost frames by cause. "source": dropped by the source. "late": dropped because the
            loop was too slow. "torn": damaged in a live source. "pace": due but skipped because the
            device could not keep up.
        note: Writes one frame's time in each of `STAGES`, in their order, in nanoseconds;
            `latency.NONE` for a stage that the frame did not pass.
        newest_rows: Returns what `note` wrote for the last frames: (frames, stages) int64.
    """

    def __init__(self) -> None:
        self.seen = self.taken = self.gaps = self.decisions = self.events = self.reconnects = self.still = 0
        self.missed = 0
        self.is_starved = False
        self.unanswered = self.pace_level = self.pace_changes = 0
        self.fallback = self.unsaved = ""
        self.began_ns = self.latest_ns = 0
        # The other causes are rare; they appear with their first frame.
        self.drops: dict[str, int] = {"source": 0, "late": 0}
        ledger = Ledger(len(STAGES))
        # The bound method itself, which saves the loop a call per frame.
        self.note = ledger.note
        self.newest_rows = ledger.newest_rows
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
        """Frames that the sampler did not take."""
        return self.seen - self.taken

    def saw(self, now_ns: int) -> None:
        """Count a frame of the source.

        Args:
            now_ns: Arrival on this machine's monotonic clock.
        """
        self.seen += 1
        self.latest_ns = now_ns
        if not self.began_ns:
            self.began_ns = now_ns

    @property
    def fps(self) -> dict[str, float]:
        """Frames per second over the run, of the "source" and of those that the "model" took."""
        seconds = (self.latest_ns - self.began_ns) / NS_PER_S
        # Before the second frame there is no rate.
        if seconds <= 0:
            return {"source": 0.0, "model": 0.0}
        # N frames span N - 1 intervals.
        return {"source": (self.seen - 1) / seconds, "model": max(0, self.taken - 1) / seconds}

    def stages(self) -> dict[str, Latency]:
        """Return the latency of each stage that has samples, in the order of `STAGES`."""
        samples: dict[str, LatencySamples] = {name: getattr(self, name) for name in STAGES}
        return {name: each.latency() for name, each in samples.items() if each.count}

    def as_json(self) -> dict[str, Any]:
        """Return all counters, the latency of each stage in milliseconds and the resident memory in MiB."""
        return {
            "frames": {
                "seen": self.seen,
                "taken": self.taken,
                "skipped": self.skipped,
                "gaps": self.gaps,
                "reconnects": self.reconnects,
                "still": self.still,
                "missed": self.missed,
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

    def as_table(self, *, preprocess: str = STAGES["preprocess"]) -> str:
        """Return the latencies and counters as lines for people, without a final newline.

        Args:
            preprocess: What happens to a frame before the model.
        """
        words = {**STAGES, "preprocess": preprocess}
        rows: list[tuple[object, ...]] = [("stage", "count", "p50 ms", "p95 ms", "p99 ms", "max ms", "what")]
        rows += [
            (name, s.count, s.p50_ms, s.p95_ms, s.p99_ms, s.max_ms, words[name]) for name, s in self.stages().items()
        ]
        still = f" of which {self.still} still," if self.still else ""
        lost = ", ".join(f"{cause} {count}" for cause, count in self.drops.items())
        memory = rss_mib()
        return (
            f"{table(rows)}\n"
            f"frames: {self.seen} seen, {self.taken} taken,{still} {self.skipped} between due times, gaps {self.gaps}; "
            f"reconnects {self.reconnects}; dropped: {lost}\n"
            f"{self.decisions} decisions, {self.events} events; "
            f"{self.fps['source']:.1f} frames a second from the source, {self.fps['model']:.1f} to the model"
            + (f"; resident memory {memory:.1f} MiB" if memory else "")
            + self._degradations()
        )

    def _degradations(self) -> str:
        """Return what made this run less than it could be, each on a line with a newline before it."""
        lines = f"\non the CPU in place of the accelerator: {self.fallback}" if self.fallback else ""
        if self.unsaved:
            lines += f"\nthe folder of bundles could not be written: {self.unsaved}"
        if self.missed:
            lines += f"\ndue times without a frame: {self.missed}, for {self.taken} frames taken"
        if self.pace_changes:
            lines += (
                f"\npace: changed {self.pace_changes} times, now at level {self.pace_level}; "
                f"{self.unanswered} frames without an answer of their own"
            )
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
