"""What do the outputs cost the loop? Frame time with every output on and several viewers of the page, over that with none, in one run.

    python benchmarks/outputs.py [--viewers 5] [--rounds 6] [--seconds 20]

The shipped gesture model runs on 640x480 frames that come 20 times a second, as from a camera; they are drawn before. Rounds with nothing on and
rounds with everything on take turns, so that whatever else the machine does hits both; the quietest of each (least median) is the answer, as in
frame_cost.py, and the ratio of each pair is kept beside it. On a machine that others use, run it as `nice -n -10`, which is noted.

Everything is: the live page with its viewers, clips, metrics scraped every second, a webhook, and MQTT where a mosquitto is installed. Viewers,
scraper and receiver are a process of their own. The frame's time is the loop's, from the frame in hand to the answer given out.

Two more questions on the way: does every event reach every output, and how much memory does a run with everything on take (goal: 150 MB)?
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from results_file import summary, table, write

from edgevid import bundle
from edgevid.capture.source import ClosingSource
from edgevid.capture.synthetic import GestureSource
from edgevid.commands.run_options import outputs as option_group
from edgevid.commands.run_options.group import Setup
from edgevid.frames import Frame, Pixels
from edgevid.inference.engine import Engine
from edgevid.lane import Lane
from edgevid.outputs.collect import Collector
from edgevid.pipeline import Pipeline
from edgevid.telemetry.environment import rss_mib

SIZE_PX = (640, 480)
FPS, DRAWN_S = 20.0, 10.0
MEMORY_GOAL_MB = 150
_MB_PER_MIB = 2**20 / 1e6


class Drawn(ClosingSource):
    """Frames that were drawn before, over and over, at their times."""

    live = True

    def __init__(self, frames: list[Pixels], *, seconds: float) -> None:
        self.name = "drawn before"
        self._frames = frames
        self._count = round(seconds * FPS)

    def frames(self) -> Iterator[Frame]:
        """Give a frame when it is due."""
        start_ns = time.monotonic_ns()
        for index in range(self._count):
            due_ns = start_ns + round(index / FPS * 1e9)
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            yield Frame(self._frames[index % len(self._frames)], "rgb", due_ns, index)


def draw() -> list[Pixels]:
    """Draw the frames."""
    width_px, height_px = SIZE_PX
    return [
        frame.data.copy()
        for frame in GestureSource(seed=3, height_px=height_px, width_px=width_px, fps=FPS, duration_s=DRAWN_S).frames()
    ]


class Audience:
    """The process with the viewers, the scraper and the receiver.

    Attributes:
        webhook: Where to post events.
    """

    def __init__(self, *, viewers: int, page: int, metrics: int) -> None:
        command = [
            sys.executable,
            __file__,
            "--watch",
            json.dumps({"viewers": viewers, "page": page, "metrics": metrics}),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.webhook = self._line()["webhook"]

    def close(self) -> dict[str, Any]:
        """End it, and give what it saw."""
        seen, _ = self._process.communicate("", timeout=60)
        return json.loads(seen.splitlines()[-1])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class Watchers:
    """What the other process does.

    Args:
        page: Port of the page.
        metrics: Port of the metrics.
    """

    def __init__(self, *, page: int, metrics: int) -> None:
        self.seen = {"pictures": 0, "scrapes": 0, "ends": 0}
        self.done = threading.Event()
        self._page, self._metrics = page, metrics

    def look(self) -> None:
        """View the page, as a browser does."""
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        while not self.done.wait(0.1):
            with (
                contextlib.suppress(OSError, WebSocketException),
                connect(f"ws://localhost:{self._page}/live", compression=None, max_size=None) as line,
            ):
                while not self.done.is_set():
                    if isinstance(line.recv(5), bytes):
                        self.seen["pictures"] += 1
                        line.send("ok")

    def scrape(self) -> None:
        """Scrape the metrics once a second."""
        while not self.done.wait(1.0):
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://localhost:{self._metrics}/metrics", timeout=5) as answer,
            ):
                answer.read()
                self.seen["scrapes"] += 1

    def receiver(self) -> ThreadingHTTPServer:
        """Make a server that counts the ends of events."""
        watchers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                watchers.seen["ends"] += body["phase"] == "end"
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def watch(viewers: int, page: int, metrics: int) -> None:
    """Run in the other process until its standard input ends; behind the run, for in truth its viewers are on other machines."""
    os.nice(10)
    watchers = Watchers(page=page, metrics=metrics)
    server = watchers.receiver()
    for target in (server.serve_forever, watchers.scrape, *[watchers.look] * viewers):
        threading.Thread(target=target, daemon=True).start()
    print(json.dumps({"webhook": f"http://127.0.0.1:{server.server_port}/"}), flush=True)
    sys.stdin.read()
    watchers.done.set()
    print(json.dumps(watchers.seen), flush=True)


def free_port() -> int:
    """A port that was free a moment ago."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mosquitto(folder: Path) -> tuple[subprocess.Popen[bytes] | None, str | None]:
    """Start a broker, where there is one, and give its URL."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        return None, None
    port = free_port()
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n")
    process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return process, f"mqtt://127.0.0.1:{port}/bench"


def play(engine: Engine, frames: list[Pixels], *, seconds: float, options: dict[str, Any] | None) -> dict[str, Any]:
    """Run one round.

    Args:
        engine: Of the model.
        frames: To show.
        seconds: How long.
        options: As of the command line; None for no outputs.

    Returns:
        Frame times in microseconds, and what was delivered.
    """
    source, lane, collected = Drawn(frames, seconds=seconds), Lane(engine), Collector()
    engine.restart()
    asked: dict[str, Any] = (
        dict.fromkeys(("page", "mqtt", "webhook", "metrics", "clips")) | {"clips_mib": 256} | (options or {})
    )
    opened = option_group.open(argparse.Namespace(**asked), Setup(lanes=(lane,), source=source))
    telemetry = Pipeline([lane], source, [collected, *opened.outputs], taps=opened.taps).run()
    reports = {report.name: report for output in opened.outputs for report in output.reports()}  # type: ignore[attr-defined]
    return {
        "total_us": (telemetry.total.samples_ns / 1e3).tolist(),
        "events": len(collected.events),
        "given": {name: report.delivered for name, report in reports.items()},
        "late": telemetry.drops["late"],
    }


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Let rounds with and without outputs take turns."""
    engine = Engine(bundle.read(resources.files("edgevid") / "data" / "gestures.edgevid"))  # type: ignore[arg-type]
    frames = draw()
    found: dict[str, list[list[float]]] = {"off": [], "on": []}
    lost, pictures, memory_mib = 0, 0, 0.0
    before_mib = rss_mib() or 0.0
    play(engine, frames, seconds=3, options=None)
    for number in range(args.rounds):
        quiet = play(engine, frames, seconds=args.seconds, options=None)
        found["off"].append(quiet["total_us"])
        with tempfile.TemporaryDirectory() as scratch:
            ports = {"page": free_port(), "metrics": free_port()}
            audience = Audience(viewers=args.viewers, **ports)
            process, url = mosquitto(Path(scratch))
            options = {name: f"localhost:{port}" for name, port in ports.items()} | {
                "webhook": audience.webhook,
                "mqtt": url,
                "clips": Path(scratch) / "clips",
            }
            played = play(engine, frames, seconds=args.seconds, options=options)
            memory_mib = max(memory_mib, (rss_mib() or 0.0))
            seen = audience.close()
            if process is not None:
                process.terminate()
                process.wait()
        found["on"].append(played["total_us"])
        wanted = {
            "webhook": played["given"]["webhook"]["event"] // 2,
            "clips": played["given"]["clips"]["clip"],
            "receiver": seen["ends"],
        }
        lost += sum(abs(played["events"] - count) for count in wanted.values())
        pictures += seen["pictures"]
        print(
            f"round {number + 1}: {played['events']} events, {seen}, late {quiet['late']} and {played['late']}",
            file=sys.stderr,
        )
    return {
        "samples": found,
        "lost": lost,
        "pictures": pictures,
        "memory_mib": memory_mib - _drawn_mib(frames),
        "before_mib": before_mib,
    }


def _drawn_mib(frames: list[Pixels]) -> float:
    """What the benchmark itself holds, and no run does."""
    return sum(frame.nbytes for frame in frames) / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=5, help="browsers on the page (default: 5)")
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each kind (default: 6)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a round (default: 20)")
    parser.add_argument("--watch", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        watch(**args.watch)
        return 0
    found = measure(args)
    rounds = {name: [summary(values, digits=1) for values in each] for name, each in found["samples"].items()}
    best = {name: min(range(args.rounds), key=lambda number: each[number]["p50"]) for name, each in rounds.items()}
    numbers: dict[str, Any] = {f"{name}_us": rounds[name][best[name]] for name in rounds}
    numbers["ratio"] = {
        each: round(numbers["on_us"][each] / numbers["off_us"][each], 3) for each in ("p50", "p95", "p99")
    }
    numbers["ratio_of_each_round"] = [
        round(on["p50"] / off["p50"], 3) for off, on in zip(rounds["off"], rounds["on"], strict=True)
    ]
    numbers |= {"viewers": args.viewers, "events_lost": found["lost"], "pictures_seen": found["pictures"]}
    numbers["memory_mb"] = round(found["memory_mib"] * _MB_PER_MIB, 1)
    numbers |= {"frame_interval_us": round(1e6 / FPS), "nice": os.nice(0)}
    path = write(
        "outputs",
        question="Time of a 640x480 frame in the loop with every output on and five viewers of the page, over that with none; memory goal 150 MB.",
        numbers=numbers,
        samples={f"{name}_us": found["samples"][name][number] for name, number in best.items()},
        threads=1,
    )
    rows = [("outputs", "frames", "p50 us", "p95 us", "p99 us", "max us")]
    rows += [
        (name, *(numbers[f"{name}_us"][each] for each in ("count", "p50", "p95", "p99", "max")))
        for name in ("off", "on")
    ]
    print(table(rows))
    print(f"\nratio {numbers['ratio']}; {found['lost']} events lost; {numbers['memory_mb']} MB\nWrote {path}")
    return 0 if not found["lost"] and numbers["memory_mb"] < MEMORY_GOAL_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
