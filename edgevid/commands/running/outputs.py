"""Where decisions and events go besides standard output: `--mqtt`, `--webhook`, `--metrics`, `--clips`."""

from __future__ import annotations

import argparse
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
    from edgevid.outputs.vitals import BoardFacts, Vitals
    from edgevid.telemetry import Telemetry

_LEAST_CLIPS_MIB, _CLIPS_MIB = 64, 1024


def add(parser: argparse.ArgumentParser) -> None:
    """Declare where decisions and events go.

    Args:
        parser: The verb's.
    """
    group = parser.add_argument_group("outputs", "Each has a thread of its own: a slow one drops decisions, never an event, and never holds up the model.")
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
    if not any((args.mqtt, args.webhook, args.metrics, args.clips)):
        return Opened()
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
        if self._args.clips:
            self._add_clips()
        if self._args.mqtt:
            self._add_mqtt()
        if self._args.webhook:
            self._add_webhook()
        everything = FanOut(self._members)
        if metrics is not None:
            metrics.reports = everything.reports
        return Opened(outputs=[everything], taps=self._taps)

    def _vitals(self) -> Vitals:
        from edgevid.outputs.vitals import Vitals, no_board

        board: BoardFacts = self._setup.board.facts if self._setup.board else no_board
        return Vitals(self._telemetry, board=board)

    def _metrics(self) -> Metrics:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.metrics import Metrics

        metrics = Metrics(endpoint(self._args.metrics), telemetry=self._telemetry, vitals=self._vitals())
        self._members.append(metrics)
        return metrics

    def _add_clips(self) -> None:
        from edgevid.errors import UsageError
        from edgevid.outputs.clips import Clips, ring_for
        from edgevid.outputs.payload import slugs
        from edgevid.outputs.pictures import FPS, Pictures
        from edgevid.outputs.shelf import Shelf

        if self._args.clips_mib < _LEAST_CLIPS_MIB:
            raise UsageError(f"Expected --clips-mib of at least {_LEAST_CLIPS_MIB}, got {self._args.clips_mib}.", got=self._args.clips_mib)
        shelf = Shelf(self._args.clips, quota_bytes=self._args.clips_mib * 2**20)
        pictures = Pictures(ring_for(fps=FPS))
        self._members += [pictures, Clips(shelf, pictures, teller=self._teller, slugs=slugs(tuple(self._telemetry)), live=self._live)]
        self._taps.append(pictures)

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
        self._members.append(Runner("mqtt", lambda: mqtt.Mqtt(where, models=models, teller=teller, look=look), pause=Pause(0.5, 5.0)))

    def _add_webhook(self) -> None:
        from edgevid.outputs.addresses import webhook_url
        from edgevid.outputs.runner import Runner
        from edgevid.outputs.webhook import Webhook

        url, teller = webhook_url(self._args.webhook), self._teller
        self._members.append(Runner("webhook", lambda: Webhook(url, teller=teller)))


def _model(lane: Lane) -> Model:
    from edgevid.outputs.homeassistant import Model

    decider = lane.decider
    return Model(lane.name, decider.labels, tuple(label for label in decider.labels if label not in decider.rule.background))
