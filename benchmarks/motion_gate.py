"""What does the motion gate save, and which events does it miss?

    python benchmarks/motion_gate.py [--seeds 6]

Each stream shows a rendered person who gestures for a minute, and then a still picture for two
minutes, as in a room that is mostly empty. Every frame has the noise of a small camera (standard
deviation of three levels). The shipped gesture model runs on each stream without a gate and with
gates of several widths. The benchmark reports

- the share of encoder runs that the gate saves
- missed events: those of the run without a gate that no event of the same label overlaps
- new events: those of the run with the gate that overlap none
- the recall of the rendered gestures
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from writing.results_file import table, write

from edgevid.capture.source import ClosingSource
from edgevid.capture.synthetic import GestureSource
from edgevid.commands.demo import shipped_bundle
from edgevid.events.decide import Event
from edgevid.events.timeline import match
from edgevid.frames import Frame
from edgevid.inference.engine import Engine
from edgevid.lane import Lane
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline

# Widths of the gate: the share of a frame that must change.
SHARES = (0.0, 0.0005, 0.002, 0.01, 0.05)
ACTIVE_S, STILL_S = 60.0, 120.0
NOISE_LEVELS = 3.0


class Room(ClosingSource):
    """Gestures, and then the last picture for a while, all with noise.

    Args:
        seed: Seed of person, gestures and noise.
        size_px: Side of the square frames.
    """

    live = False

    def __init__(self, seed: int, size_px: int) -> None:
        self.name = f"room {seed}"
        self._seed = seed
        self._person = GestureSource(seed=seed, height_px=size_px, width_px=size_px, duration_s=ACTIVE_S)
        self.truth = self._person.truth

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames."""
        rng = np.random.default_rng(self._seed)
        index, frame = 0, None
        for frame in self._person.frames():
            yield Frame(noisy(frame.data, rng), frame.color, frame.timestamp_ns, index)
            index += 1
        assert frame is not None
        for _ in range(round(STILL_S * self._person.fps)):
            yield Frame(noisy(frame.data, rng), frame.color, round(index / self._person.fps * 1e9), index)
            index += 1


def noisy(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(pixels + rng.normal(0.0, NOISE_LEVELS, pixels.shape), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class GateRun:
    """One run on one stream.

    Attributes:
        events: The events of the run.
        taken: Number of frames that the model takes.
        spared: Number of taken frames without an encoder run.
        recall: Fraction of the gestures that the events report.
    """

    events: Sequence[Event]
    taken: int
    spared: int
    recall: float


def run(seed: int, share: float | None) -> GateRun:
    """Run the model on one stream.

    Args:
        seed: Seed of the stream.
        share: Width of the gate; None for no gate.
    """
    model = shipped_bundle()
    room, seen = Room(seed, model.manifest.input.height), Collector()
    telemetry = Pipeline(Lane(Engine(model), motion_gate=share), room, [seen]).run()
    return GateRun(seen.events, telemetry.taken, telemetry.still, match(seen.events, room.truth).recall)


def without_overlap(events: Sequence[Event], others: Sequence[Event]) -> int:
    """Count the events that overlap no other event of the same label."""
    return sum(not any(_overlaps(event, other) for other in others) for event in events)


def _overlaps(event: Event, other: Event) -> bool:
    return other.label == event.label and other.start_s <= event.end_s and other.end_s >= event.start_s


def compare(plain: Sequence[GateRun], gated: Sequence[GateRun]) -> dict[str, float]:
    """Compare the runs with one gate with those without a gate, stream by stream."""
    pairs = list(zip(plain, gated, strict=True))
    return {
        "encoder_runs_saved": round(sum(run.spared for run in gated) / sum(run.taken for run in gated), 4),
        "events_missed": sum(without_overlap(before.events, after.events) for before, after in pairs),
        "events_new": sum(without_overlap(after.events, before.events) for before, after in pairs),
        "recall": mean_recall(gated),
    }


def mean_recall(runs: Sequence[GateRun]) -> float:
    return round(float(np.mean([run.recall for run in runs])), 4)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="number of streams (default: 6)")
    args = parser.parse_args()
    plain = [run(seed, None) for seed in range(args.seeds)]
    gates = {f"{share:g}": compare(plain, [run(seed, share) for seed in range(args.seeds)]) for share in SHARES}
    numbers = {
        "streams": args.seeds,
        "still_share_of_time": round(STILL_S / (ACTIVE_S + STILL_S), 3),
        "events_without_gate": sum(len(each.events) for each in plain),
        "recall_without_gate": mean_recall(plain),
        "gates": gates,
    }
    path = write(
        "motion_gate",
        question="Share of encoder runs that a motion gate saves, and events that it misses, by its width.",
        numbers=numbers,
    )
    print(f"{numbers['events_without_gate']} events without a gate, recall {numbers['recall_without_gate']}")
    heading = ("gate", "runs saved", "events missed", "events new", "recall")
    print(table([heading, *((name, *gate.values()) for name, gate in gates.items())]))
    print(f"\nWrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
