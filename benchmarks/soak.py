"""Does a run stay what it was? 500,000 frames through the whole pipeline with every output on.

Goals: memory flat within 2 MiB after the warm-up, no event lost on any way out, and a run that is killed is back with its first decision
within 10 s.

    python benchmarks/soak.py [--frames 500000] [--rate 2000] [--every 5]

The run is a process of its own, so that its memory is its own. It plays a minute of made-up gestures and four of a still scene again and
again, with time going on, as fast as `--rate` allows: hours of stream in minutes, and five events a second at 2000 frames a second. With --every 1 each
minute has gestures, and there are 27 events a second, more than which wait while the broker is away.
Its outputs are real: a mosquitto that this starts and, half-way, stops for some seconds; an HTTP server for the webhook; clips on disk
under a quota; metrics that are scraped; the live page with one viewer who looks and one who hangs; JSON lines through a pipe. Every start
and end of an event is counted where it arrives and held against what the run itself saw.
"""

from __future__ import annotations

import argparse
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from results_file import table, write

from edgevid.frames import Frame
from edgevid.outputs.output import QuietOutput
from edgevid.telemetry.environment import rss_mib

BUNDLE = Path(str(resources.files("edgevid") / "data" / "gestures.edgevid"))
FPS, SECONDS, SIZE = 20, 60, 64
SAMPLE_EVERY, WARM_UP = 5_000, 100_000
FLAT_MIB, RESTART_S = 2.0, 10.0
RESTARTS = 5
_OUTAGE_S = 5.0


class Again:
    """A minute of gestures, drawn once, and some of a still scene, played again and again at a limited rate; memory is noted in between."""

    name = "again"
    live = False
    reopens = False

    def __init__(self, *, frames: int, rate: float, every: int) -> None:
        from edgevid.capture.synthetic import GestureSource

        self._count, self._rate, self._every = frames, rate, every
        gestures = GestureSource(seed=0, height_px=SIZE, width_px=SIZE, fps=FPS, duration_s=SECONDS)
        self._pictures = np.stack([frame.data.copy() for frame in gestures.frames()])
        self.memory_mib: list[float] = []

    def frames(self) -> Iterator[Frame]:
        """Play."""
        began_s = time.monotonic()
        for index in range(self._count):
            if index % SAMPLE_EVERY == 0:
                self.memory_mib.append(rss_mib() or 0.0)
            if index % 20 == 0:
                time.sleep(max(0.0, began_s + index / self._rate - time.monotonic()))
            minute, place = divmod(index, len(self._pictures))
            yield Frame(
                self._pictures[place if minute % self._every == 0 else 0], "rgb", index * 1_000_000_000 // FPS, index
            )
        self.memory_mib.append(rss_mib() or 0.0)

    def release(self, frame: Frame) -> None:
        """Nothing to give back."""

    def reopen(self) -> Again:
        """Never needed."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Again:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Tally(QuietOutput):
    """Counts what the run itself saw."""

    def __init__(self) -> None:
        self.starts = self.ends = 0

    def started(self, event: object) -> None:
        """Count a start."""
        self.starts += 1

    def ended(self, event: object) -> None:
        """Count an end."""
        self.ends += 1


def play(options: list[str], *, frames: int, rate: float, every: int) -> None:
    """Run in the child: what `edgevid run` does, on a source of our own; the account goes to standard error as JSON."""
    from edgevid import cli
    from edgevid.commands.run import GROUPS
    from edgevid.commands.run_options import models
    from edgevid.commands.run_options.group import Setup, open_groups
    from edgevid.pipeline import Pipeline
    from edgevid.supervision.supervisor import Supervisor

    args = cli.verb_parser("run").parse_args([str(BUNDLE), "--source", "synthetic", "--json", *options])
    source, tally = Again(frames=frames, rate=rate, every=every), Tally()
    lanes = models.open(args)
    opened = open_groups(GROUPS, args, Setup(lanes=lanes, source=source))
    pipeline = Pipeline(lanes, source, [tally, *opened.outputs], taps=opened.taps)
    began_s = time.monotonic()
    with Supervisor(pipeline):
        telemetry = pipeline.run()
    account = {
        "took_s": round(time.monotonic() - began_s, 1),
        "memory_mib": [round(value, 2) for value in source.memory_mib],
        "starts": tally.starts,
        "ends": tally.ends,
        **telemetry.as_json(),
    }
    sys.stderr.write(f"ACCOUNT {json.dumps(account)}\n")


class Posts(http.server.ThreadingHTTPServer):
    """Takes what the webhook posts, and counts it by phase."""

    daemon_threads = True

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        counts = self.counts

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                counts[body.get("phase", "?")] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Be quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http://127.0.0.1:{self.server_address[1]}/events"


def soak(folder: Path, *, frames: int, rate: float, every: int) -> dict[str, Any]:
    """Run once with every output, and count what arrives.

    Args:
        folder: For the broker and the clips.
        frames: How many.
        rate: Frames a second at most.
        every: Of so many minutes one has gestures.

    Returns:
        The child's account and what arrived where.
    """
    from tests.broker import Listener, Mosquitto, free_port

    broker, posts, metrics_port, page_port = Mosquitto(folder), Posts(), free_port(), free_port()
    broker.start()
    listener = Listener(broker.port, name="soak")
    mqtt = f"mqtt://127.0.0.1:{broker.port}"
    options = [
        "--mqtt",
        mqtt,
        "--webhook",
        posts.url,
        "--metrics",
        f"127.0.0.1:{metrics_port}",
        "--clips",
        str(folder / "clips"),
        "--clips-mib",
        "64",
    ]
    options += ["--page", f"127.0.0.1:{page_port}"]
    command = [
        sys.executable,
        __file__,
        "--child",
        "--frames",
        str(frames),
        "--rate",
        str(rate),
        "--every",
        str(every),
        "--",
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    outage = threading.Timer(frames / rate / 2, _outage, [broker])
    outage.start()
    scraped, viewer = Scraper(metrics_port), Viewer(page_port)
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()))
    reader.start()
    lines = sum('"event"' in line[:40] for line in process.stdout or ())
    process.wait()
    reader.join()
    outage.join()
    scraped.stop()
    viewer.stop()
    time.sleep(2.0)
    heard = Counter(_phase(payload) for topic, payload, retained in listener.heard if not retained)
    listener.close()
    broker.stop()
    posts.shutdown()
    sys.stderr.write("".join(line for line in errors if not line.startswith("ACCOUNT ")))
    account = next((json.loads(line.removeprefix("ACCOUNT ")) for line in errors if line.startswith("ACCOUNT ")), None)
    if process.returncode or account is None:
        raise SystemExit(f"The run ended with {process.returncode}:\n{''.join(errors)[-3000:]}")
    arrived = {
        "json lines, ends": lines,
        "webhook, starts": posts.counts["start"],
        "webhook, ends": posts.counts["end"],
    }
    arrived |= {"mqtt, starts": heard["start"], "mqtt, ends": heard["end"], "metrics, ends": scraped.events}
    return {
        **account,
        "arrived": arrived,
        "scrapes": scraped.scrapes,
        "page_pictures": viewer.pictures,
        "page_messages": viewer.messages,
        "clips_mib": _size_mib(folder / "clips"),
    }


def _outage(broker: Any) -> None:
    broker.stop()
    time.sleep(_OUTAGE_S)
    broker.start()


def _phase(payload: object) -> str:
    return str(payload.get("phase", "")) if isinstance(payload, Mapping) else ""


def _size_mib(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.iterdir()) / 2**20, 1)


class Beside:
    """Something that goes on beside the run, in a thread, until it is stopped."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        """Go on until `_done` is set."""
        raise NotImplementedError


class Scraper(Beside):
    """Asks for the metrics every two seconds, as Prometheus would.

    Attributes:
        scrapes: How often it got them.
        events: Ended events at the last time.
    """

    def __init__(self, port: int) -> None:
        self.scrapes = self.events = 0
        self._url = f"http://127.0.0.1:{port}/metrics"
        super().__init__()

    def _run(self) -> None:
        while not self._done.wait(2.0):
            try:
                with urllib.request.urlopen(self._url, timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                continue
            self.scrapes += 1
            self.events = int(
                sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("edgevid_events_total"))
            )


class Viewer(Beside):
    """Two people at the live page: one who watches, and one whose browser hangs and reads nothing.

    Attributes:
        pictures: How many the first one got.
        messages: Other messages that it got.
    """

    def __init__(self, port: int) -> None:
        self.pictures = self.messages = 0
        self._address = f"ws://127.0.0.1:{port}/live"
        super().__init__()

    def _run(self) -> None:
        from websockets.exceptions import ConnectionClosed
        from websockets.sync.client import connect

        while not self._done.wait(0.2):
            try:
                with (
                    connect(self._address, compression=None) as watches,
                    connect(self._address, compression=None, max_queue=1, ping_interval=None),
                ):
                    for message in watches:
                        self.messages += isinstance(message, str)
                        if isinstance(message, bytes):
                            self.pictures += 1
                            watches.send("ok")  # as the page does, which is sent the next one then
            except (OSError, ConnectionClosed):
                continue


def restarts(count: int) -> list[float]:
    """Kill a run in the middle of its stream, start it again, and time it to its first decision."""
    command = [
        sys.executable,
        "-m",
        "edgevid.cli",
        "run",
        str(BUNDLE),
        "--source",
        "synthetic",
        "--policy",
        "live",
        "--json",
    ]
    took_s = []
    for _ in range(count + 1):
        began_s = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.readline()
        took_s.append(round(time.monotonic() - began_s, 3))
        process.kill()
        process.communicate()
    return took_s[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500_000, help="frames of the source (default: 500000)")
    parser.add_argument("--rate", type=float, default=2000.0, help="frames a second at most (default: 2000)")
    parser.add_argument(
        "--every", type=int, default=5, metavar="N", help="of so many minutes one has gestures (default: 5)"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args, options = parser.parse_known_args()
    if args.child:
        play([option for option in options if option != "--"], frames=args.frames, rate=args.rate, every=args.every)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        found = soak(Path(scratch), frames=args.frames, rate=args.rate, every=args.every)
    again_s = restarts(RESTARTS)
    memory = found.pop("memory_mib")
    after = memory[min(WARM_UP // SAMPLE_EVERY, len(memory) // 2) :]
    numbers = {
        **found,
        "growth_after_warm_up_mib": round(max(after) - after[0], 2),
        "growth_first_to_last_mib": round(after[-1] - after[0], 2),
        "memory_after_warm_up_mib": after[0],
        "restart_s": max(again_s),
    }
    goals = check(numbers)
    question = "500,000 frames with every output on: does memory stay within 2 MiB after 100,000, does every event arrive everywhere, is a killed run back in 10 s?"
    path = write(
        "soak",
        question=question,
        numbers={**numbers, "goals_met": goals},
        samples={"memory_mib": memory, "restart_s": again_s},
        threads=1,
    )
    print(
        table(
            [
                ("what", "count"),
                ("frames", found["frames"]["seen"]),
                ("events seen, starts", found["starts"]),
                *found["arrived"].items(),
            ]
        )
    )
    print(
        f"\nlive page: {found['page_pictures']} pictures, {found['page_messages']} messages; {found['scrapes']} scrapes; {found['clips_mib']} MiB of clips"
    )
    print(
        f"memory {after[0]} MiB after the warm-up, at most {numbers['growth_after_warm_up_mib']} more; {found['took_s']} s; restart {max(again_s)} s"
    )
    print("\n" + "\n".join(f"{'met' if met else 'MISSED'}: {goal}" for goal, met in goals.items()) + f"\nWrote {path}")
    return 0 if all(goals.values()) else 1


def check(numbers: Mapping[str, Any]) -> dict[str, bool]:
    """Hold the numbers against the goals. The metrics are asked for every two seconds, so their last word may be a little behind."""
    arrived = dict(numbers["arrived"])
    del arrived["metrics, ends"]
    return {
        f"memory flat within {FLAT_MIB} MiB": numbers["growth_after_warm_up_mib"] <= FLAT_MIB,
        "every start and end of an event arrived": numbers["starts"] == numbers["ends"] > 0
        and set(arrived.values()) == {numbers["ends"]},
        f"back within {RESTART_S} s of being killed": numbers["restart_s"] < RESTART_S,
    }


if __name__ == "__main__":
    raise SystemExit(main())
