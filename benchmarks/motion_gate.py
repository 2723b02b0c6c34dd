"""What does the motion gate save, and which events does it miss?

    python benchmarks/motion_gate.py [--seeds 6]

A made-up person makes gestures for a minute and then leaves the picture standing for two, as in a room that is mostly empty; every frame
has the noise of a small camera (three levels of standard deviation). The shipped gesture model watches each such stream with gates of
several widths and without one. Saved are the encoder's runs that were left out; missed are the events of the run without a gate that no
event of the gated run overlaps with the same label; new are the gated run's events that overlap none. Recall is against what was shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from results_file import table, write

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

SHARES = (0.0, 0.0005, 0.002, 0.01, 0.05)
ACTIVE_S, STILL_S = 60.0, 120.0
NOISE_LEVELS = 3.0


class Room(ClosingSource):
    """Gestures, then the last picture for a while, all of it with noise.

    Args:
        seed: Draws person, gestures and noise.
        size_px: Side of the square frames.
    """

    live = False

    def __init__(self, seed: int, size_px: int) -> None:
        self.name = f"room {seed}"
        self._seed = seed
        self._person = GestureSource(seed=seed, height_px=size_px, width_px=size_px, duration_s=ACTIVE_S)
        self.truth = self._person.truth

    def frames(self) -> Iterator[Frame]:
        """Give the frames."""
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


def overlap(event: Event, others: Sequence[Event]) -> bool:
    return any(
        other.label == event.label and other.start_s <= event.end_s and other.end_s >= event.start_s for other in others
    )


def watch(seed: int, share: float | None) -> tuple[Collector, int, int, int, float]:
    """Run one stream.

    Args:
        seed: Of the stream.
        share: Of the gate; None for none.

    Returns:
        What was seen, frames taken, frames spared, encoder runs, and recall.
    """
    model = shipped_bundle()
    room, seen = Room(seed, model.manifest.input.height), Collector()
    telemetry = Pipeline(Lane(Engine(model), motion_gate=share), room, [seen]).run()
    return seen, telemetry.taken, telemetry.still, telemetry.encode.count, match(seen.events, room.truth).recall


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="streams (default: 6)")
    args = parser.parse_args()
    plain = {seed: watch(seed, None) for seed in range(args.seeds)}
    events = sum(len(seen.events) for seen, *_ in plain.values())
    numbers: dict[str, object] = {
        "streams": args.seeds,
        "still_share_of_time": round(STILL_S / (ACTIVE_S + STILL_S), 3),
        "events_without_gate": events,
        "recall_without_gate": round(float(np.mean([recall for *_, recall in plain.values()])), 4),
    }
    gates: dict[str, dict[str, float]] = {}
    for share in SHARES:
        runs = {seed: watch(seed, share) for seed in range(args.seeds)}
        missed = sum(
            not overlap(event, runs[seed][0].events) for seed, (seen, *_) in plain.items() for event in seen.events
        )
        new = sum(
            not overlap(event, plain[seed][0].events) for seed, (seen, *_) in runs.items() for event in seen.events
        )
        spared, taken = (sum(run[column] for run in runs.values()) for column in (2, 1))
        recall = round(float(np.mean([run[4] for run in runs.values()])), 4)
        gates[f"{share:g}"] = {
            "encoder_runs_saved": round(spared / taken, 4),
            "events_missed": missed,
            "events_new": new,
            "recall": recall,
        }
    numbers["gates"] = gates
    path = write(
        "motion_gate",
        question="Share of encoder runs that a motion gate saves, and events that it misses, by its width.",
        numbers=numbers,
    )
    print(f"{events} events without a gate, recall {numbers['recall_without_gate']}")
    print(
        table(
            [
                ("gate", "runs saved", "events missed", "events new", "recall"),
                *((name, *gate.values()) for name, gate in gates.items()),
            ]
        )
    )
    print(f"\nWrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
