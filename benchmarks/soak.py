"""Does a long run stay the same? It plays 500,000 frames with every output on.

Goals: memory within 2 MiB after the warm-up, no event lost by any output, and the first decision
within 10 s after a run was killed.

    python benchmarks/soak.py [--frames 500000] [--rate 2000] [--every 5]

The run is a process of its own, so that its memory is its own. It repeats a minute of rendered
gestures and four minutes of a still scene, with increasing timestamps and as fast as --rate allows.
That is hours of stream in minutes, and five events per second at 2000 frames per second. With
--every 1, each minute has gestures. Then there are 27 events per second, and more of them wait
while the broker is away.

The outputs are real: a mosquitto, which the benchmark stops for some seconds half-way, an HTTP
server for the webhook, clips on disk with a quota, metrics that are scraped, the live page with one
viewer and one that hangs, and JSON lines through a pipe. Every start and end of an event is counted
where it arrives, and compared with those of the run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from writing.results_file import goals_text, table, write

from edgevid import DEMO, cli
from edgevid.api.session import Session
from edgevid.capture.source import ClosingSource
from edgevid.capture.synthetic import GestureSource
from edgevid.commands.run import GROUPS
from edgevid.commands.run_options import models
from edgevid.frames import Frame
from edgevid.outputs.output import QuietOutput
from edgevid.telemetry.environment import rss_mib

if TYPE_CHECKING:
    from tests.servers.broker import Mosquitto

FPS, SECONDS, SIZE = 20, 60, 64
SAMPLE_EVERY, WARM_UP = 5_000, 100_000
FLAT_MIB, RESTART_S = 2.0, 10.0
RESTARTS = 5
CLIPS_MIB = 64
_OUTAGE_S = 5.0
# The source sleeps once for so many frames: shorter sleeps are not precise.
_BURST = 20
# Marks the line on standard error that holds the account of the child.
_ACCOUNT = "ACCOUNT "


class Repeated(ClosingSource):
    """A minute of gestures and some minutes of a still scene, repeated at a limited rate.

    Args:
        frames: Number of frames.
        rate: Largest number of frames per second.
        every: Number of minutes of which one has gestures.

    Attributes:
        memory_mib: Resident memory, sampled every `SAMPLE_EVERY` frames and at the end.
    """

    name = "repeated"
    live = False

    def __init__(self, *, frames: int, rate: float, every: int) -> None:
        self._count, self._rate, self._every = frames, rate, every
        gestures = GestureSource(seed=0, height_px=SIZE, width_px=SIZE, fps=FPS, duration_s=SECONDS)
        self._pictures = np.stack([frame.data.copy() for frame in gestures.frames()])
        self.memory_mib: list[float] = []

    def frames(self) -> Iterator[Frame]:
        """Deliver the frames, and sample the memory."""
        began_s = time.monotonic()
        for index in range(self._count):
            if index % SAMPLE_EVERY == 0:
                self.memory_mib.append(rss_mib() or 0.0)
            if index % _BURST == 0:
                time.sleep(max(0.0, began_s + index / self._rate - time.monotonic()))
            minute, position = divmod(index, len(self._pictures))
            picture = self._pictures[position if minute % self._every == 0 else 0]
            yield Frame(picture, "rgb", index * 1_000_000_000 // FPS, index)
        self.memory_mib.append(rss_mib() or 0.0)


class Tally(QuietOutput):
    """Counts the events of the run itself."""

    def __init__(self) -> None:
        self.starts = self.ends = 0

    def started(self, event: object) -> None:
        """Count a start."""
        self.starts += 1

    def ended(self, event: object) -> None:
        """Count an end."""
        self.ends += 1


def play(options: list[str], *, frames: int, rate: float, every: int) -> None:
    """Run in the child as `edgevid run` does, and write an account to standard error as JSON.

    Args:
        options: Options of `edgevid run`, without bundle and source.
        frames: See `Repeated`.
        rate: See `Repeated`.
        every: See `Repeated`.
    """
    args = cli.verb_parser("run").parse_args([str(DEMO), "--source", "synthetic", "--json", *options])
    source, tally = Repeated(frames=frames, rate=rate, every=every), Tally()
    requested = [output for group in GROUPS for output in group.outputs(args)]
    began_s = time.monotonic()
    with Session(models.load(args), source=source, outputs=[tally, *requested], exit_when_stuck=True) as session:
        (telemetry,) = session.run().values()
    account = {
        "took_s": round(time.monotonic() - began_s, 1),
        "memory_mib": [round(value, 2) for value in source.memory_mib],
        "starts": tally.starts,
        "ends": tally.ends,
        **telemetry.as_json(),
    }
    sys.stderr.write(f"{_ACCOUNT}{json.dumps(account)}\n")


def soak(folder: Path, *, frames: int, rate: float, every: int) -> dict[str, Any]:
    """Run once with every output, and count what arrives.

    Args:
        folder: Folder of the broker's files and of the clips.
        frames: See `Repeated`.
        rate: See `Repeated`.
        every: See `Repeated`.

    Returns:
        The account of the child, and the counts of each output.
    """
    # Not at the top: the child, whose memory is measured, runs this file too.
    from receiving.audience import HungViewer, Receiver, Scraper, Viewer, phases

    from tests.servers.broker import Listener, Mosquitto, free_port

    broker, receiver, metrics, page = Mosquitto(folder), Receiver(), free_port(), free_port()
    broker.start()
    listener = Listener(broker.port, name="soak")
    outage = threading.Timer(frames / rate / 2, _interrupt, [broker])
    options = [
        *("--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--webhook", receiver.url),
        *("--metrics", f"127.0.0.1:{metrics}", "--page", f"127.0.0.1:{page}"),
        *("--clips", str(folder / "clips"), "--clips-mib", str(CLIPS_MIB)),
    ]
    source = ["--frames", str(frames), "--rate", str(rate), "--every", str(every)]
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", *source, "--", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    outage.start()
    scraper, viewer, hung = Scraper(metrics, interval_s=2.0), Viewer(page), HungViewer(page)
    ends, account = _follow(process)
    outage.join()
    for client in (scraper, viewer, hung):
        client.stop()
    # What the broker holds still has to reach the listener.
    time.sleep(2.0)
    heard = Counter(_phase(payload) for topic, payload, retained in listener.heard if not retained)
    listener.close()
    broker.stop()
    posted = phases(receiver)
    receiver.close()
    return {
        **account,
        "arrived": {
            "json lines, ends": ends,
            "webhook, starts": posted["start"],
            "webhook, ends": posted["end"],
            "mqtt, starts": heard["start"],
            "mqtt, ends": heard["end"],
            "metrics, ends": scraper.events,
        },
        "scrapes": scraper.scrapes,
        "page_pictures": viewer.pictures,
        "page_messages": viewer.messages,
        "clips_mib": _size_mib(folder / "clips"),
    }


def _follow(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """Read the output of the child to its end, and return its number of events and its account."""
    errors: list[str] = []
    # A thread, because the child stops while either pipe is full.
    reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()))
    reader.start()
    # Decisions begin with other keys.
    ends = sum('"event"' in line[:40] for line in process.stdout or ())
    process.wait()
    reader.join()
    accounts = [line.removeprefix(_ACCOUNT) for line in errors if line.startswith(_ACCOUNT)]
    sys.stderr.write("".join(line for line in errors if not line.startswith(_ACCOUNT)))
    if process.returncode or not accounts:
        raise SystemExit(f"The run ended with {process.returncode}:\n{''.join(errors)[-3000:]}")
    return ends, json.loads(accounts[0])


def _interrupt(broker: Mosquitto) -> None:
    broker.stop()
    time.sleep(_OUTAGE_S)
    broker.start()


def _phase(payload: object) -> str:
    return str(payload.get("phase", "")) if isinstance(payload, Mapping) else ""


def _size_mib(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.iterdir()) / 2**20, 1)


def restarts(count: int) -> list[float]:
    """Kill a run in the middle of its stream, and time each restart up to its first decision."""
    command = [sys.executable, "-m", "edgevid.cli", "run", str(DEMO), "--source", "synthetic", "--policy", "live"]
    took_s = []
    for _ in range(count + 1):
        began_s = time.monotonic()
        process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.readline()
        took_s.append(round(time.monotonic() - began_s, 3))
        process.kill()
        process.communicate()
    # The first start is not a restart.
    return took_s[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500_000, help="number of frames (default: 500000)")
    parser.add_argument(
        "--rate", type=float, default=2000.0, help="largest number of frames per second (default: 2000)"
    )
    parser.add_argument("--every", type=int, default=5, metavar="N", help="one of N minutes has gestures (default: 5)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args, options = parser.parse_known_args()
    source = {"frames": args.frames, "rate": args.rate, "every": args.every}
    if args.child:
        play([option for option in options if option != "--"], **source)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        result = soak(Path(scratch), **source)
    again_s = restarts(RESTARTS)
    memory_mib = result.pop("memory_mib")
    numbers = {**result, **growth(memory_mib), "restart_s": max(again_s)}
    goals = check(numbers)
    path = write(
        "soak",
        question="500,000 frames with every output on: does memory stay within 2 MiB after 100,000, does every event "
        "arrive everywhere, is a killed run back in 10 s?",
        numbers={**numbers, "goals_met": goals},
        samples={"memory_mib": memory_mib, "restart_s": again_s},
        threads=1,
    )
    print_numbers(numbers)
    print(f"\n{goals_text(goals)}\nWrote {path}")
    return 0 if all(goals.values()) else 1


def growth(memory_mib: list[float]) -> dict[str, float]:
    """Return the growth of memory after the warm-up, which a short run cuts to its first half."""
    after = memory_mib[min(WARM_UP // SAMPLE_EVERY, len(memory_mib) // 2) :]
    return {
        "growth_after_warm_up_mib": round(max(after) - after[0], 2),
        "growth_first_to_last_mib": round(after[-1] - after[0], 2),
        "memory_after_warm_up_mib": after[0],
    }


def print_numbers(numbers: Mapping[str, Any]) -> None:
    rows = [("what", "count"), ("frames", numbers["frames"]["seen"]), ("events seen, starts", numbers["starts"])]
    print(table([*rows, *numbers["arrived"].items()]))
    print(
        f"\nlive page: {numbers['page_pictures']} pictures, {numbers['page_messages']} messages; "
        f"{numbers['scrapes']} scrapes; {numbers['clips_mib']} MiB of clips"
    )
    print(
        f"memory {numbers['memory_after_warm_up_mib']} MiB after the warm-up, at most "
        f"{numbers['growth_after_warm_up_mib']} more; {numbers['took_s']} s; restart {numbers['restart_s']} s"
    )


def check(numbers: Mapping[str, Any]) -> dict[str, bool]:
    """Compare the numbers with the goals."""
    # The last scrape may be up to two seconds before the end of the run.
    arrived = {name: count for name, count in numbers["arrived"].items() if name != "metrics, ends"}
    has_all_events = numbers["starts"] == numbers["ends"] > 0 and set(arrived.values()) == {numbers["ends"]}
    return {
        f"memory flat within {FLAT_MIB} MiB": numbers["growth_after_warm_up_mib"] <= FLAT_MIB,
        "every start and end of an event arrived": has_all_events,
        f"back within {RESTART_S} s of being killed": numbers["restart_s"] < RESTART_S,
    }


if __name__ == "__main__":
    raise SystemExit(main())
