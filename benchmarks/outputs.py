"""What do the outputs cost the loop? Time of a frame with every output on, over that with none.

    python benchmarks/outputs.py [--viewers 5] [--rounds 6] [--seconds 20]

The shipped gesture model runs on frames of 640x480 that arrive 20 times per second, as from a
camera. They are drawn before the run. Rounds with no output and rounds with every output alternate,
so that other load on the machine hits both. The answer is the round of each kind with the lowest
median, as in frame_cost.py; the ratio of each pair of rounds is kept too. On a machine that others
use, run the benchmark as `nice -n -10`, which the result records.

The outputs are the live page with its viewers, clips, metrics that are scraped every second, a
webhook, and MQTT if a mosquitto is installed. Viewers, scraper and receiver are a process of their
own. The time of a frame is that of the loop, from taking the frame to delivering the answer.

The benchmark also checks that every event reaches webhook and clips, and measures the memory of a
run with every output (goal: 150 MB).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from writing.results_file import MB_PER_MIB, summary, table, write

from edgevid.api.model import DEMO, Model, load
from edgevid.api.outputs import Clips, Metrics, Mqtt, OutputLike, Page, Webhook
from edgevid.api.session import run as run_session
from edgevid.capture.source import ClosingSource
from edgevid.capture.synthetic import GestureSource
from edgevid.frames import Frame, Pixels
from edgevid.outputs.collect import Collector
from edgevid.telemetry.environment import rss_mib

SIZE_PX = (640, 480)
FPS, DRAWN_S = 20.0, 10.0
WARM_UP_S = 3.0
CLIPS_MIB = 256
MEMORY_GOAL_MB = 150
PERCENTILES = ("p50", "p95", "p99")


class Drawn(ClosingSource):
    """A live source that repeats frames drawn before, each at its time.

    Args:
        frames: The frames.
        seconds: Length of the stream.
    """

    live = True

    def __init__(self, frames: Sequence[Pixels], *, seconds: float) -> None:
        self.name = "drawn before"
        self._frames = frames
        self._count = round(seconds * FPS)

    def frames(self) -> Iterator[Frame]:
        """Deliver each frame when it is due."""
        start_ns = time.monotonic_ns()
        for index in range(self._count):
            due_ns = start_ns + round(index / FPS * 1e9)
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            yield Frame(self._frames[index % len(self._frames)], "rgb", due_ns, index)


def draw() -> list[Pixels]:
    width_px, height_px = SIZE_PX
    source = GestureSource(seed=3, height_px=height_px, width_px=width_px, fps=FPS, duration_s=DRAWN_S)
    return [frame.data.copy() for frame in source.frames()]


class Audience:
    """The process of `receiving/audience.py`.

    Args:
        viewers: Number of viewers of the page.

    Attributes:
        addresses: Addresses of the outputs, by their names; None without a broker.
    """

    def __init__(self, *, viewers: int) -> None:
        script = Path(__file__).parent / "receiving" / "audience.py"
        command = [sys.executable, str(script), "--viewers", str(viewers)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.addresses: dict[str, str | None] = json.loads(self._process.stdout.readline())

    def close(self) -> dict[str, int]:
        """End the process, and return its counts."""
        lines, _ = self._process.communicate("", timeout=60)
        return json.loads(lines.splitlines()[-1])


@dataclass(frozen=True)
class Round:
    """One run of the model.

    Attributes:
        total_us: Time of each frame in the loop.
        events: Number of events.
        late: Number of frames that were dropped because the loop was busy.
        lost: Number of events that did not reach webhook or clips.
        pictures: Number of pictures that the viewers got.
        rss_mib: Resident memory at the end, in MiB.
    """

    total_us: list[float]
    events: int
    late: int
    lost: int = 0
    pictures: int = 0
    rss_mib: float = 0.0


def play(model: Model, source: Drawn, outputs: Sequence[OutputLike] = ()) -> Round:
    """Run the model on the source."""
    seen = Collector()
    telemetry = run_session(model, source=source, outputs=[seen, *outputs])[model.name]
    return Round((telemetry.total.samples_ns / 1e3).tolist(), len(seen.events), telemetry.drops["late"])


def play_with_outputs(model: Model, source: Drawn, *, viewers: int) -> Round:
    """Run the model on the source with every output, and count what arrives."""
    audience = Audience(viewers=viewers)
    with tempfile.TemporaryDirectory() as clips:
        run = play(model, source, all_outputs(audience.addresses, clips))
        memory_mib = rss_mib() or 0.0
        counts = audience.close()
        # Each clip has a file with its event.
        arrived = [counts["starts"], counts["ends"], len(list(Path(clips).glob("*.json")))]
    lost = sum(abs(run.events - count) for count in arrived)
    return replace(run, lost=lost, pictures=counts["pictures"], rss_mib=memory_mib)


def all_outputs(addresses: Mapping[str, str | None], clips: str) -> list[OutputLike]:
    """Return every output that this machine can have."""
    classes = {"page": Page, "metrics": Metrics, "webhook": Webhook, "mqtt": Mqtt}
    outputs: list[OutputLike] = [Clips(clips, mib=CLIPS_MIB)]
    return outputs + [classes[name](address) for name, address in addresses.items() if address is not None]


def measure(*, rounds: int, seconds: float, viewers: int) -> dict[str, Any]:
    """Play rounds without and with outputs in turn, and return the numbers and samples of the result."""
    model, frames = load(DEMO), draw()
    play(model, Drawn(frames, seconds=WARM_UP_S))
    off: list[Round] = []
    on: list[Round] = []
    for number in range(1, rounds + 1):
        off.append(play(model, Drawn(frames, seconds=seconds)))
        on.append(play_with_outputs(model, Drawn(frames, seconds=seconds), viewers=viewers))
        counts = f"{on[-1].events} events, {on[-1].lost} lost, {on[-1].pictures} pictures"
        print(f"round {number}: {counts}, late {off[-1].late} and {on[-1].late}", file=sys.stderr)
    quiet, busy = _quietest(off), _quietest(on)
    off_us, on_us = summary(quiet.total_us, digits=1), summary(busy.total_us, digits=1)
    # The drawn frames are the benchmark's own, and no run holds them.
    memory_mib = max(run.rss_mib for run in on) - sum(frame.nbytes for frame in frames) / 2**20
    return {
        "numbers": {
            "off_us": off_us,
            "on_us": on_us,
            "ratio": {name: round(on_us[name] / off_us[name], 3) for name in PERCENTILES},
            "ratio_of_each_round": [round(_median_us(b) / _median_us(a), 3) for a, b in zip(off, on, strict=True)],
            "viewers": viewers,
            "events_lost": sum(run.lost for run in on),
            "pictures_seen": sum(run.pictures for run in on),
            "memory_mb": round(memory_mib * MB_PER_MIB, 1),
            "frame_interval_us": round(1e6 / FPS),
            "nice": os.nice(0),
        },
        "samples": {"off_us": quiet.total_us, "on_us": busy.total_us},
    }


def _median_us(run: Round) -> float:
    return summary(run.total_us, digits=1)["p50"]


def _quietest(runs: Sequence[Round]) -> Round:
    return min(runs, key=_median_us)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=5, help="number of viewers of the page (default: 5)")
    parser.add_argument("--rounds", type=int, default=6, help="number of rounds of each kind (default: 6)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a round (default: 20)")
    args = parser.parse_args()
    result = measure(rounds=args.rounds, seconds=args.seconds, viewers=args.viewers)
    numbers = result["numbers"]
    path = write(
        "outputs",
        question="Time of a 640x480 frame in the loop with every output on and five viewers of the page, over that "
        "with none; memory goal 150 MB.",
        numbers=numbers,
        samples=result["samples"],
        threads=1,
    )
    rows = [("outputs", "frames", "p50 us", "p95 us", "p99 us", "max us")]
    rows += [
        (name, *(numbers[f"{name}_us"][each] for each in ("count", *PERCENTILES, "max"))) for name in ("off", "on")
    ]
    print(table(rows))
    print(f"\nratio {numbers['ratio']}; {numbers['events_lost']} events lost; {numbers['memory_mb']} MB\nWrote {path}")
    return 0 if not numbers["events_lost"] and numbers["memory_mb"] < MEMORY_GOAL_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
