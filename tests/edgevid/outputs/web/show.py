"""A live page with something on it, for tests of it."""

from __future__ import annotations

import dataclasses
import threading
import time

import cv2
import numpy as np

from edgevid.events.rule import DecisionRule
from edgevid.frames import Frame, Pixels
from edgevid.keypoints.stage import Seen
from edgevid.outputs.addresses import Endpoint
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.run_status import RunStatus
from edgevid.outputs.video.jpeg_ring import JpegRing
from edgevid.outputs.video.pictures import Pictures
from edgevid.outputs.web.hub import Hub, PageModel
from edgevid.outputs.web.page import LivePage
from edgevid.outputs.web.region_control import RegionControl
from edgevid.telemetry.telemetry import Telemetry
from tests.edgevid.outputs.sinks import LABELS, decision, event

RULE = DecisionRule(background=("none",))
TOKEN = "a-token-that-is-long"
BOARD = {"temperature_c": 81.5, "clock_mhz": 1500.0, "throttled": 1.0}


class Show:
    """A page with something on it: ten frames and decisions a second, and events.

    Args:
        host: Where to listen.
        port: Where to listen; 0 takes a free one.
        labels: Of the model.
        environment: For the token.
        region: What the models see.

    Attributes:
        values: What the models give beside their scores from now on.
        counts: What the run has counted so far.
        seen: The key points of the newest picture.
        picture: What the camera sees, RGB; None for a number that counts up.
    """

    def __init__(
        self,
        *,
        host: str = "localhost",
        port: int = 0,
        labels: tuple[str, ...] = LABELS,
        models: int = 1,
        environment: dict[str, str] | None = None,
        region: RegionControl | None = None,
    ) -> None:
        self.values: dict[str, list[float]] = {}
        self.counts: dict[str, int] = {}
        self.seen: Seen | None = None
        self.picture: Pixels | None = None
        names = ["tiny", "other"][:models]
        self.telemetry = {name: Telemetry() for name in names}
        self.pictures = Pictures(JpegRing(room_bytes=2**20, pictures=4))
        shown = [PageModel(name, labels, RULE, "window, int8", lambda: self.seen) for name in names[:1]]
        shown += [PageModel(name, labels, RULE, "window, int8") for name in names[1:]]
        vitals = RunStatus(self.telemetry, board=lambda: BOARD)
        self.hub = Hub(
            source="test camera",
            models=shown,
            telemetry=self.telemetry,
            status=vitals,
            formatter=EventFormatter(live=True),
            region=region,
        )
        self.page = LivePage(
            Endpoint(host=host, port=port), self.hub, pictures=self.pictures, environment=environment or {}
        )
        self.outputs = FanOut([self.pictures, self.page])
        self.hub.reports = self.outputs.reports
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"localhost:{self.page.endpoint.port}"

    def frame(self, number: int) -> None:
        """Show one frame with its decision; every forty frames there is an event of two seconds."""
        t_s = time.monotonic()
        pixels = np.full((120, 160, 3), 40, np.uint8) if self.picture is None else self.picture[:, :, ::-1].copy()
        if self.picture is None:
            cv2.putText(pixels, str(number), (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (60, 200, 250), 4)
        self.pictures.saw(Frame(pixels, "bgr", round(t_s * 1e9), number))
        for name, telemetry in self.telemetry.items():
            telemetry.seen += 1
            telemetry.total.record(3_000_000)
            telemetry.age.record(9_000_000)
            label = "wave" if number % 40 >= 20 else "none"
            self.outputs.decided(
                dataclasses.replace(decision(t_s, label, score=0.9, model=name), values=self.values, counts=self.counts)
            )
        if number % 40 == 22:
            self._began_s = t_s
            self.outputs.started(event(t_s))
        if number % 40 == 39:
            self.outputs.ended(event(self._began_s, t_s))

    def play(self) -> None:
        """Show frames until closed."""

        def run() -> None:
            number = 18
            while not self._done.wait(0.1):
                self.frame(number)
                number += 1

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        self.outputs.close()
