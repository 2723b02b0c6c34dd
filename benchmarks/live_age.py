"""How old is an answer when it is given? Goal: p99 below two frame intervals, from 640x480 at 30 frames a second.

    python benchmarks/live_age.py [--seconds 30] [--bundle FILE]

Frames of random pixels come at their times, as from a camera, through the policy "live": the reader's thread, buffers that take turns, and the
whole loop with JSON lines written to nowhere. Age is counted from the time that is on the frame to the decision. The model takes a frame
every training interval; the others pass by. With --bundle another model than the shipped gestures is measured.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results_file import summary, table, write

from edgevid import bundle
from edgevid.capture.paced import Paced
from edgevid.capture.source import ClosingSource
from edgevid.commands.demo import shipped_bundle
from edgevid.engine import Engine
from edgevid.frame import Frame
from edgevid.outputs.jsonl import JsonLines
from edgevid.pipeline import Pipeline

SIZE_PX = (640, 480)
FPS = 30.0


class Frames(ClosingSource):
    """Random pictures at a fixed rate.

    Args:
        count: How many.
    """

    name = "frames"
    live = False

    def __init__(self, count: int) -> None:
        self._count = count

    def frames(self) -> Iterator[Frame]:
        """Give the frames."""
        pictures = np.random.default_rng(0).integers(0, 256, (4, SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        for index in range(self._count):
            yield Frame(pictures[index % len(pictures)], "bgr", round(index / FPS * 1e9), index)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the stream (default: 30)")
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="the model (default: the shipped gestures)")
    args = parser.parse_args()
    model = bundle.read(args.bundle) if args.bundle else shipped_bundle()
    telemetry = Pipeline(Engine(model), Paced(Frames(round(args.seconds * FPS))), [JsonLines(io.StringIO())]).run()
    age = summary((telemetry.age.samples_ns / 1e6).tolist(), digits=2)
    intervals = round(age["p99"] * FPS / 1e3, 3)
    numbers = {"age_ms": age, "p99_in_frame_intervals": intervals, "drops": telemetry.drops, "frames": telemetry.seen, "decisions": telemetry.decisions}
    path = write("live_age", question="Age of an answer from 640x480 at 30 frames a second; goal p99 below two frame intervals.", numbers=numbers, threads=1)
    print(table([tuple(age), tuple(age.values())]))
    print(f"p99 is {intervals} frame intervals; dropped: {telemetry.drops}\n\nWrote {path}")
    return 0 if intervals < 2 else 1


if __name__ == "__main__":
    raise SystemExit(main())
