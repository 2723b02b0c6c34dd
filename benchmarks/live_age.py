"""How old is the frame of a decision? Goal: p99 below two frame intervals, at 640x480 and 30 fps.

    python benchmarks/live_age.py [--seconds 30] [--bundle FILE]

Frames of random pixels arrive at their times, as from a camera, with the policy "live". The run uses
the thread of the reader, rotating buffers, and the whole loop with JSON lines to a buffer in memory.
The age of a decision is the time since the timestamp of its frame. The model takes a frame every
training interval and skips the others. The benchmark measures the shipped gesture model and the
bundles of --bundle, such as those that `frame_cost.py --keep` leaves.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from writing.results_file import summary, table, write

from edgevid import bundle
from edgevid.bundle import Bundle
from edgevid.capture.paced import PacedSource
from edgevid.capture.source import ClosingSource
from edgevid.commands.demo import shipped_bundle
from edgevid.frames import Frame
from edgevid.inference.engine import Engine
from edgevid.outputs.jsonl import JsonLines
from edgevid.pipeline import Pipeline

SIZE_PX = (640, 480)
FPS = 30.0
GOAL_INTERVALS = 2


class Frames(ClosingSource):
    """Random pictures at a fixed rate.

    Args:
        count: Number of frames.
    """

    name = "frames"
    live = False

    def __init__(self, count: int) -> None:
        self._count = count

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames."""
        # Four pictures in turn: drawing each one would take longer than a frame may.
        pictures = np.random.default_rng(0).integers(0, 256, (4, SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        for index in range(self._count):
            yield Frame(pictures[index % len(pictures)], "bgr", round(index / FPS * 1e9), index)


def measure(model: Bundle, *, seconds: float) -> dict[str, Any]:
    """Run one model on a stream.

    Args:
        model: The bundle.
        seconds: Length of the stream.

    Returns:
        Ages in milliseconds, their p99 in frame intervals, and counts of frames.
    """
    telemetry = Pipeline(Engine(model), PacedSource(Frames(round(seconds * FPS))), [JsonLines(io.StringIO())]).run()
    age = summary((telemetry.age.samples_ns / 1e6).tolist(), digits=2)
    intervals = round(age["p99"] * FPS / 1e3, 3)
    return {
        "age_ms": age,
        "p99_in_frame_intervals": intervals,
        "drops": telemetry.drops,
        "frames": telemetry.seen,
        "decisions": telemetry.decisions,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each stream (default: 30)")
    parser.add_argument(
        "--bundle",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another model to measure; may be repeated",
    )
    args = parser.parse_args()
    shipped = measure(shipped_bundle(), seconds=args.seconds)
    others = {path.stem: measure(bundle.read(path), seconds=args.seconds) for path in args.bundle}
    numbers = {**shipped, "others": others}
    path = write(
        "live_age",
        question="Age of a decision from 640x480 at 30 frames per second; goal p99 below two frame intervals.",
        numbers=numbers,
        threads=1,
    )
    results = {"gestures (shipped)": shipped, **others}
    columns = tuple(shipped["age_ms"])
    rows = [
        (name, *result["age_ms"].values(), result["p99_in_frame_intervals"], str(result["drops"]))
        for name, result in results.items()
    ]
    print(table([("model", *columns, "p99 in frame intervals", "dropped"), *rows]))
    print(f"\nWrote {path}")
    return 0 if all(result["p99_in_frame_intervals"] < GOAL_INTERVALS for result in results.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
