"""Opens what a run sends its decisions and events to, and shares between outputs what they have in common.

Each library of an output is imported when that output is opened, not before.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar, cast

from edgevid.api.outputs import (
    STATED,
    Clips,
    Lines,
    Metrics,
    Mqtt,
    OnEvent,
    OutputLike,
    Page,
    Record,
    Webhook,
    as_on_event,
)
from edgevid.errors import UsageError
from edgevid.outputs.output import Output, Tap

if TYPE_CHECKING:
    from edgevid.board import BoardSampler
    from edgevid.capture import Source
    from edgevid.lane import Lane
    from edgevid.outputs.delivery.sink import Report
    from edgevid.outputs.delivery.threaded import ThreadedOutput
    from edgevid.outputs.mqtt.homeassistant import PublishedModel
    from edgevid.outputs.payload import EventFormatter
    from edgevid.outputs.prometheus.metrics import MetricsServer
    from edgevid.outputs.run_status import RunStatus
    from edgevid.outputs.video.pictures import Pictures
    from edgevid.outputs.web.hub import Hub, PageModel
    from edgevid.telemetry.telemetry import Telemetry

Kind = TypeVar("Kind")
_PAGE_PICTURES_BYTES = 2**20
# Decisions of several seconds: a reader of standard output that pauses for a moment loses none.
_WAITING, _CLOSE_S = 512, 2.0


@dataclass(frozen=True, kw_only=True)
class Context:
    """What there is before the first frame.

    Attributes:
        lanes: The models.
        source: Open.
        live: Whether frames come whether or not the loop is ready for them.
        board: Sampled once a second.
    """

    lanes: tuple[Lane, ...]
    source: Source
    live: bool
    board: BoardSampler


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """Outputs for a pipeline, which closes them; one object may be both an output and a tap.

    Attributes:
        outputs: Called with decisions and events.
        taps: Called with frames.
        threaded: Whether any of them works in a thread.
    """

    outputs: Sequence[Output]
    taps: Sequence[Tap]
    threaded: bool


def assemble(wanted: Iterable[OutputLike], context: Context) -> Assembled:
    """Open everything asked for; where one fails, those before it are closed again.

    Args:
        wanted: In the order in which they are called.
        context: Models, source and board.

    Returns:
        Outputs and taps.

    Raises:
        UsageError: An address, URL or path is wrong, or something is no output at all.
        MissingDependency: A library is not installed.
    """
    return _Assembly(context).open(tuple(wanted))


class _Assembly:
    """What the outputs share while they are opened: pictures, telemetry, the wording of events, the reports of all."""

    def __init__(self, context: Context) -> None:
        from edgevid.outputs.payload import EventFormatter

        self._context = context
        self._teller: EventFormatter = EventFormatter(live=context.source.live)
        self._telemetry: dict[str, Telemetry] = {lane.name: lane.telemetry for lane in context.lanes}
        self._reporters: list[Callable[[], Iterable[Report]]] = []
        self._outputs: list[Output] = []
        self._taps: list[Tap] = []
        self._members: list[ThreadedOutput] = []
        self._pictures: Pictures | None = None

    def open(self, wanted: tuple[OutputLike, ...]) -> Assembled:
        from edgevid.outputs.delivery.fanout import FanOut

        try:
            # Standard output comes first and the recording last, wherever they were named: the rest share one fan-out between them.
            for each in wanted:
                if isinstance(each, Lines):
                    self._add_lines(each)
            self._open_members(wanted)
            if self._members:
                everything = FanOut(self._members)
                self._outputs.append(everything)
                self._reporters.append(everything.reports)
            for each in wanted:
                self._add_direct(each)
        except BaseException:
            for output in self._outputs:
                output.close()
            raise
        return Assembled(outputs=self._outputs, taps=self._taps, threaded=bool(self._members))

    def _open_members(self, wanted: tuple[OutputLike, ...]) -> None:
        """Open what works in a thread, in one order whatever the caller's: clips and page share their pictures."""
        metrics = self._add_metrics(found[0]) if (found := _only_one(Metrics, wanted)) else None
        clips, pages = _only_one(Clips, wanted), _only_one(Page, wanted)
        if clips or pages:
            self._add_pictures(for_clips=bool(clips))
        for each in clips:
            self._add_clips(each)
        for name, mqtt in _numbered("mqtt", [each for each in wanted if isinstance(each, Mqtt)]):
            self._add_mqtt(name, mqtt)
        for name, webhook in _numbered("webhook", [each for each in wanted if isinstance(each, Webhook)]):
            self._add_webhook(name, webhook)
        hub = self._add_page(pages[0]) if pages else None
        functions = [call for each in wanted if (call := as_on_event(each)) is not None]
        for name, call in _numbered("function", functions):
            self._add_function(name, call)
        for reader in (metrics, hub):
            if reader is not None:
                reader.reports = self._reports

    def _reports(self) -> tuple[Report, ...]:
        """How every output is doing, in the order in which they were opened."""
        return tuple(report for reporter in self._reporters for report in reporter())

    def _add_lines(self, wanted: Lines) -> None:
        """A file waits for whoever reads, so that not one decision is lost; a camera does not."""
        several = len(self._context.lanes) > 1
        if not self._context.live:
            self._outputs.append(_lines(wanted, sys.stdout, several=several))
            return
        from edgevid.outputs.delivery.fanout import FanOut
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner

        sys.stdout.flush()
        stream = _unbuffered(sys.stdout)
        options = DeliveryOptions(decisions=_WAITING, is_essential=True)
        runner = SinkRunner("stdout", lambda: _lines(wanted, stream, several=several), options)
        out = FanOut([runner], close_s=_CLOSE_S)
        self._reporters.append(out.reports)
        self._outputs.append(out)

    def _add_direct(self, wanted: OutputLike) -> None:
        """A recording, or the caller's own output, which the loop calls itself."""
        if isinstance(wanted, Record):
            from edgevid.recorder import Recorder

            recorder = Recorder(Path(wanted.path))
            self._reporters.append(lambda: (recorder.report(),))
            self._outputs.append(recorder)
            self._taps.append(recorder)
        elif not isinstance(wanted, STATED) and as_on_event(wanted) is None:
            self._outputs.append(_checked(wanted))
            if hasattr(wanted, "saw"):
                self._taps.append(cast("Tap", wanted))

    def _vitals(self) -> RunStatus:
        from edgevid.outputs.run_status import RunStatus

        return RunStatus(self._telemetry, board=self._context.board.facts)

    def _add_metrics(self, wanted: Metrics) -> MetricsServer:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.prometheus.metrics import MetricsServer

        server = MetricsServer(endpoint(wanted.address), telemetry=self._telemetry, status=self._vitals())
        self._members.append(server)
        return server

    def _add_pictures(self, *, for_clips: bool) -> None:
        from edgevid.outputs.video.clips import ring_for
        from edgevid.outputs.video.jpeg_ring import JpegRing
        from edgevid.outputs.video.pictures import FPS, Pictures

        self._pictures = Pictures(
            ring_for(fps=FPS) if for_clips else JpegRing(room_bytes=_PAGE_PICTURES_BYTES, pictures=4)
        )
        self._members.append(self._pictures)
        self._taps.append(self._pictures)

    def _add_clips(self, wanted: Clips) -> None:
        from edgevid.outputs.payload import slugs
        from edgevid.outputs.video.clip_folder import ClipFolder
        from edgevid.outputs.video.clips import ClipRecorder

        assert self._pictures is not None
        shelf = ClipFolder(Path(wanted.folder), quota_bytes=wanted.mib * 2**20)
        names = slugs(tuple(self._telemetry))
        self._members.append(
            ClipRecorder(shelf, self._pictures, formatter=self._teller, slugs=names, live=self._context.source.live)
        )

    def _add_page(self, wanted: Page) -> Hub:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.web.hub import Hub
        from edgevid.outputs.web.page import LivePage

        models, source = [_shown(lane) for lane in self._context.lanes], self._context.source.name
        hub = Hub(
            source=source, models=models, telemetry=self._telemetry, status=self._vitals(), formatter=self._teller
        )
        environment = _overlay(EDGEVID_PAGE_TOKEN=wanted.token)
        self._members.append(LivePage(endpoint(wanted.address), hub, pictures=self._pictures, environment=environment))
        return hub

    def _add_mqtt(self, name: str, wanted: Mqtt) -> None:
        from edgevid.outputs.addresses import broker
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
        from edgevid.outputs.mqtt import publisher

        where = broker(
            wanted.url, _overlay(EDGEVID_MQTT_USERNAME=wanted.username, EDGEVID_MQTT_PASSWORD=wanted.password)
        )
        publisher.check(where)
        models = [_published(lane) for lane in self._context.lanes]
        look, teller = self._vitals().snapshot, self._teller
        make = lambda: publisher.MqttPublisher(where, models=models, formatter=teller, telemetry=look)  # noqa: E731
        options = DeliveryOptions(is_sampled=True, first_pause_s=0.5, longest_pause_s=5.0)
        self._members.append(SinkRunner(name, make, options))

    def _add_webhook(self, name: str, wanted: Webhook) -> None:
        from edgevid.outputs.addresses import webhook_url
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
        from edgevid.outputs.webhook import WebhookSender

        url, teller, environment = webhook_url(wanted.url), self._teller, _overlay(EDGEVID_WEBHOOK_TOKEN=wanted.token)
        self._members.append(
            SinkRunner(
                name,
                lambda: WebhookSender(url, formatter=teller, environment=environment),
                DeliveryOptions(decisions=0),
            )
        )

    def _add_function(self, name: str, wanted: OnEvent) -> None:
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
        from edgevid.outputs.function import FunctionCaller

        self._members.append(
            SinkRunner(
                name, lambda: FunctionCaller(wanted.function, starts=wanted.starts), DeliveryOptions(decisions=0)
            )
        )


def _only_one(kind: type[Kind], wanted: Iterable[object]) -> list[Kind]:
    found = [each for each in wanted if isinstance(each, kind)]
    if len(found) > 1:
        raise UsageError(expected=f"at most one {kind.__name__}", got=len(found), found=f"{len(found)}")
    return found


def _numbered(name: str, wanted: Sequence[Kind]) -> list[tuple[str, Kind]]:
    """Give each a name of its own for logs and metrics, as mqtt and mqtt_2."""
    return [(name if number == 1 else f"{name}_{number}", each) for number, each in enumerate(wanted, start=1)]


def _checked(wanted: object) -> Output:
    missing = [name for name in ("decided", "started", "ended", "close") if not callable(getattr(wanted, name, None))]
    if missing or isinstance(wanted, type):
        legal = f"{', '.join(kind.__name__ for kind in STATED)}, a function, or an object with decided, started, ended and close"
        raise UsageError(expected=f"an output, one of {legal}", got=wanted)
    return cast("Output", wanted)


def _overlay(**values: str | None) -> Mapping[str, str]:
    """The environment, with what the caller stated in place of its variables."""
    return {**os.environ, **{name: value for name, value in values.items() if value is not None}}


def _lines(wanted: Lines, stream: TextIO, *, several: bool) -> Output:
    from edgevid.outputs.jsonl import EventLines, JsonLines

    return JsonLines(stream, several=several) if wanted.json else EventLines(stream, sys.stderr, several=several)


def _unbuffered(stream: TextIO) -> TextIO:
    """The stream's descriptor; the stream itself where it has none, as in a notebook."""
    from edgevid.outputs.jsonl import Descriptor

    try:
        return cast("TextIO", Descriptor(stream.fileno()))
    except io.UnsupportedOperation:
        return stream


def _published(lane: Lane) -> PublishedModel:
    from edgevid.outputs.mqtt.homeassistant import PublishedModel

    decider = lane.decider
    return PublishedModel(
        lane.name, decider.labels, tuple(label for label in decider.labels if label not in decider.rule.background)
    )


def _shown(lane: Lane) -> PageModel:
    from edgevid.outputs.web.hub import PageModel

    manifest = lane.engine.bundle.manifest
    window = manifest.window
    precisions = "+".join(dict.fromkeys(part.precision for part in manifest.parts))
    about = f"{manifest.plan}, {precisions}, {window.frames} frames of {window.interval_s:g} s"
    return PageModel(lane.name, lane.decider.labels, lane.decider.rule, about)
