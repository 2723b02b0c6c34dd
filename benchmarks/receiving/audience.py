"""The other ends of a run's outputs: viewers of the page, a scraper, a webhook's receiver and a broker.

    python benchmarks/receiving/audience.py [--viewers 5]

The script prints the addresses to use as one JSON object. At the end of its standard input it
prints what arrived, as another one. `outputs.py` starts it as a process, so that the load and the
memory of the audience are not those of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from pathlib import Path

from tests.servers.broker import MOSQUITTO, Mosquitto, free_port
from tests.servers.receiver import Receiver


class Client:
    """A thread that runs next to the run until `stop`."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        """Work until `_stopped` is set."""
        raise NotImplementedError


class Scraper(Client):
    """Requests the metrics at a fixed interval, as Prometheus does.

    Args:
        port: Port of the metrics.
        interval_s: Time between two requests.

    Attributes:
        scrapes: Number of answers.
        events: Number of ended events in the last answer.
    """

    def __init__(self, port: int, *, interval_s: float) -> None:
        self.scrapes = self.events = 0
        self._url = f"http://localhost:{port}/metrics"
        self._interval_s = interval_s
        # Last, because it starts the thread.
        super().__init__()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                with urllib.request.urlopen(self._url, timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                # The run is not up yet, or has ended.
                continue
            self.scrapes += 1
            lines = [line for line in text.splitlines() if line.startswith("edgevid_events_total")]
            self.events = int(sum(float(line.split()[-1]) for line in lines))


class Viewer(Client):
    """Views the live page, as a browser does.

    Args:
        port: Port of the page.

    Attributes:
        pictures: Number of pictures.
        messages: Number of other messages.
    """

    def __init__(self, port: int) -> None:
        self.pictures = self.messages = 0
        self._address = f"ws://localhost:{port}/live"
        super().__init__()

    def _run(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        while not self._stopped.wait(0.1):
            try:
                with connect(self._address, compression=None, max_size=None) as line:
                    while not self._stopped.is_set():
                        if isinstance(line.recv(5), bytes):
                            self.pictures += 1
                            # The page sends the next picture only after this.
                            line.send("ok")
                        else:
                            self.messages += 1
            except (OSError, WebSocketException):
                continue


class HungViewer(Client):
    """Opens the live page and then reads nothing, as a browser that hangs.

    Args:
        port: Port of the page.
    """

    def __init__(self, port: int) -> None:
        self._address = f"ws://localhost:{port}/live"
        super().__init__()

    def _run(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        while not self._stopped.wait(0.1):
            try:
                # A queue of one message, so that the buffers of the kernel fill soon.
                with connect(self._address, compression=None, max_queue=1, ping_interval=None, close_timeout=1):
                    self._stopped.wait()
            except (OSError, WebSocketException):
                continue


def phases(receiver: Receiver) -> Counter[str]:
    """Count the starts and ends of events that the webhook posted."""
    return Counter(body["phase"] for body, _ in receiver.received)


def attend(folder: Path, *, viewers: int) -> dict[str, int]:
    """Print the addresses, and be the audience until standard input ends.

    Args:
        folder: Folder of the broker's files.
        viewers: Number of viewers of the page.

    Returns:
        The counts of what arrived.
    """
    receiver, page, metrics = Receiver(), free_port(), free_port()
    broker = Mosquitto(folder) if MOSQUITTO is not None else None
    if broker:
        broker.start()
    # After the broker, which belongs to the run's machine. The viewers do not: let the run go first.
    os.nice(10)
    scraper, watching = Scraper(metrics, interval_s=1.0), [Viewer(page) for _ in range(viewers)]
    addresses = {
        "page": f"localhost:{page}",
        "metrics": f"localhost:{metrics}",
        "webhook": receiver.url,
        "mqtt": f"mqtt://127.0.0.1:{broker.port}/bench" if broker else None,
    }
    print(json.dumps(addresses), flush=True)
    sys.stdin.read()
    for client in (scraper, *watching):
        client.stop()
    if broker:
        broker.stop()
    posted = phases(receiver)
    return {
        "pictures": sum(viewer.pictures for viewer in watching),
        "scrapes": scraper.scrapes,
        "starts": posted["start"],
        "ends": posted["end"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=5, help="number of viewers of the page (default: 5)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(attend(Path(scratch), viewers=args.viewers)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
