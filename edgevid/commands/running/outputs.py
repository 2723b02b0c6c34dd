"""Where decisions and events go besides standard output: `--page`, `--mqtt`, `--webhook`, `--metrics`, `--clips`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import positive
from edgevid.commands.running.group import Opened, Setup

if TYPE_CHECKING:
    from edgevid.lane import Lane
    from edgevid.outputs.fanout import Member
    from edgevid.outputs.homeassistant import Model
    from edgevid.outputs.metrics import Metrics
    from edgevid.outputs.output import Tap
    from edgevid.outputs.payload import Teller
    from edgevid.outputs.pictures import Pictures
    from edgevid.outputs.vitals import Vitals
    from edgevid.outputs.web.hub import Hub, Shown
    from edgevid.telemetry import Telemetry

_LEAST_CLIPS_MIB, _CLIPS_MIB = 64, 1024
_PAGE_PICTURES_BYTES = 2**20
# How long a thread of an output may hold the interpreter's lock while the loop waits for it; Python's own 5 ms are longer than a frame's work.
_SWITCH_S = 0.0005


def add(parser: argparse.ArgumentParser) -> None:
    """Declare where decisions and events go.

    Args:
        parser: The verb's.
    """
    group = parser.add_argument_group("outputs", "Each has a thread of its own: a slow one drops decisions, never an event, and never holds up the model.")
    group.add_argument(
        "--page",
        metavar="HOST:PORT",
        help="show video, probabilities, events and the device's health in a browser, as localhost:8080; ':8080' for every address, which then needs "
        "the token that is printed, or EDGEVID_PAGE_TOKEN",
    )
    group.add_argument(
        "--mqtt",
        metavar="URL",
        help="publish to mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]; Home Assistant finds the device by itself. User and password also from "
        "EDGEVID_MQTT_USERNAME and EDGEVID_MQTT_PASSWORD, or EDGEVID_MQTT_PASSWORD_FILE",
    )
    group.add_argument("--webhook", metavar="URL", help="post the start and end of each event as JSON; EDGEVID_WEBHOOK_TOKEN is sent as bearer token")
    group.add_argument("--metrics", metavar="HOST:PORT", help="serve metrics for Prometheus at http://HOST:PORT/metrics; ':9464' for every address")
    group.add_argument("--clips", type=Path, metavar="DIR", help="keep a video of each event, from 3 s before it to 3 s after it")
    group.add_argument("--clips-mib", type=positive, default=_CLIPS_MIB, metavar="MIB", help=f"room for clips; the oldest go (default: {_CLIPS_MIB})")


def open(args: argparse.Namespace, setup: Setup) -> Opened:
    """Open what is asked for.

    Args:
        args: Parsed options.
        setup: The models and the source.

    Returns:
        One output that stands for all, and what looks at frames; nothing where nothing is asked for.
    """
    if not any((args.page, args.mqtt, args.webhook, args.metrics, args.clips)):
        return Opened()
    sys.setswitchinterval(_SWITCH_S)
    return _Opening(args, setup).open()


class _Opening:
    """What the outputs share while they are opened."""

    def __init__(self, args: argparse.Namespace, setup: Setup) -> None:
        from edgevid.outputs.payload import Teller

        self._args, self._setup = args, setup
        self._live = setup.source.live
        self._teller: Teller = Teller(live=self._live)
        self._telemetry: dict[str, Telemetry] = {lane.name: lane.telemetry for lane in setup.lanes}
        self._members: list[Member] = []
        self._taps: list[Tap] = []

    def open(self) -> Opened:
        from edgevid.outputs.fanout import FanOut

        metrics = self._metrics() if self._args.metrics else None
        pictures = self._pictures() if self._args.clips or self._args.page else None
        if self._args.clips and pictures is not None:
            self._add_clips(pictures)
        if self._args.mqtt:
            self._add_mqtt()
        if self._args.webhook:
            self._add_webhook()
        hub = self._add_page(pictures) if self._args.page else None
        everything = FanOut(self._members)
        self._setup.reporters.append(everything.reports)
        if metrics is not None:
            metrics.reports = self._setup.reports
        if hub is not None:
            hub.reports = self._setup.reports
        return Opened(outputs=[everything], taps=self._taps)

    def _vitals(self) -> Vitals:
        from edgevid.outputs.vitals import Vitals, no_board

        return Vitals(self._telemetry, board=no_board if self._setup.board is None else self._setup.board.facts)

    def _metrics(self) -> Metrics:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.metrics import Metrics

        metrics = Metrics(endpoint(self._args.metrics), telemetry=self._telemetry, vitals=self._vitals())
        self._members.append(metrics)
        return metrics

    def _pictures(self) -> Pictures:
        from edgevid.outputs.clips import ring_for
        from edgevid.outputs.jpegs import JpegRing
        from edgevid.outputs.pictures import FPS, Pictures

        pictures = Pictures(ring_for(fps=FPS) if self._args.clips else JpegRing(room_bytes=_PAGE_PICTURES_BYTES, pictures=4))
        self._members.append(pictures)
        self._taps.append(pictures)
        return pictures

    def _add_clips(self, pictures: Pictures) -> None:
        from edgevid.errors import UsageError
        from edgevid.outputs.clips import Clips
        from edgevid.outputs.payload import slugs
        from edgevid.outputs.shelf import Shelf

        if self._args.clips_mib < _LEAST_CLIPS_MIB:
            raise UsageError(f"Expected --clips-mib of at least {_LEAST_CLIPS_MIB}, got {self._args.clips_mib}.", got=self._args.clips_mib)
        shelf = Shelf(self._args.clips, quota_bytes=self._args.clips_mib * 2**20)
        self._members.append(Clips(shelf, pictures, teller=self._teller, slugs=slugs(tuple(self._telemetry)), live=self._live))

    def _add_page(self, pictures: Pictures | None) -> Hub:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.web.hub import Hub
        from edgevid.outputs.web.page import Page

        models, source = [_shown(lane) for lane in self._setup.lanes], self._setup.source.name
        hub = Hub(source=source, models=models, telemetry=self._telemetry, vitals=self._vitals(), teller=self._teller)
        self._members.append(Page(endpoint(self._args.page), hub, pictures=pictures))
        return hub

    def _add_mqtt(self) -> None:
        from edgevid.outputs import mqtt
        from edgevid.outputs.addresses import broker
        from edgevid.outputs.runner import Runner
        from edgevid.outputs.worker import Pause

        where = broker(self._args.mqtt)
        mqtt.check(where)
        models = [_model(lane) for lane in self._setup.lanes]
        look = self._vitals().look
        teller = self._teller
        self._members.append(Runner("mqtt", lambda: mqtt.Mqtt(where, models=models, teller=teller, look=look), sampled=True, pause=Pause(0.5, 5.0)))

    def _add_webhook(self) -> None:
        from edgevid.outputs.addresses import webhook_url
        from edgevid.outputs.runner import Runner
        from edgevid.outputs.webhook import Webhook

        url, teller = webhook_url(self._args.webhook), self._teller
        self._members.append(Runner("webhook", lambda: Webhook(url, teller=teller), decisions=0))


def _model(lane: Lane) -> Model:
    from edgevid.outputs.homeassistant import Model

    decider = lane.decider
    return Model(lane.name, decider.labels, tuple(label for label in decider.labels if label not in decider.rule.background))


def _shown(lane: Lane) -> Shown:
    from edgevid.outputs.web.hub import Shown

    manifest = lane.engine.bundle.manifest
    window = manifest.window
    precisions = "+".join(dict.fromkeys(part.precision for part in manifest.parts))
    about = f"{manifest.plan}, {precisions}, {window.frames} frames of {window.interval_s:g} s"
    return Shown(lane.name, lane.decider.labels, lane.decider.rule, about)
