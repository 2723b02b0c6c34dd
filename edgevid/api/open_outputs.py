"""Opens the outputs of a run, and shares pictures, telemetry and the format of events among them.

The library of an output is imported when that output opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar, cast

from edgevid.api.described_models import page_model, published_model
from edgevid.api.outputs import (
    OUTPUT_SPECS,
    Clips,
    Lines,
    Metrics,
    Mqtt,
    OnEvent,
    OutputLike,
    Page,
    Record,
    Timeline,
    Webhook,
    as_on_event,
)
from edgevid.errors import UsageError
from edgevid.outputs.output import Output, Tap
from edgevid.supervision.pace import LEVELS

if TYPE_CHECKING:
    from edgevid.board import BoardSampler
    from edgevid.capture import Source
    from edgevid.lane import Lane
    from edgevid.outputs.delivery.sink import Report
    from edgevid.outputs.delivery.threaded import ThreadedOutput
    from edgevid.outputs.prometheus.metrics import MetricsServer
    from edgevid.outputs.run_status import RunStatus
    from edgevid.outputs.video.pictures import Pictures
    from edgevid.outputs.web.hub import Hub
    from edgevid.outputs.web.region_control import RegionControl
    from edgevid.telemetry.telemetry import Telemetry

Kind = TypeVar("Kind")
# Without clips, the page needs only the newest pictures.
_PAGE_PICTURES_BYTES = 2**20
# Decisions of several seconds, so that a short pause of the reader of standard output loses none.
_STDOUT_DECISIONS, _STDOUT_CLOSE_S = 512, 2.0


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts of a run that exist before its outputs.

    Attributes:
        lanes: The models.
        source: The open source.
        live: Whether the policy is "live": frames come at their own pace, and some may be dropped.
        board: The board's state, sampled once a second.
        region: What the models see of the pictures, for the page; None for rows of features.
    """

    lanes: tuple[Lane, ...]
    source: Source
    live: bool
    board: BoardSampler
    region: RegionControl | None = None


@dataclass(frozen=True, kw_only=True)
class RunOutputs:
    """Open outputs for a pipeline, which closes them. One object may be both an output and a tap.

    Attributes:
        outputs: Called with decisions and events.
        taps: Called with frames.
        threaded: Whether any of them has its own thread.
    """

    outputs: Sequence[Output]
    taps: Sequence[Tap]
    threaded: bool


def assemble(wanted: Iterable[OutputLike], context: Context) -> RunOutputs:
    """Open the outputs. If one fails, close those before it.

    Args:
        wanted: The outputs. Those of the caller are called in this order.
        context: Models, source and board.

    Returns:
        Outputs and taps.

    Raises:
        UsageError: An address, URL or path is not legal, or an item is no output.
        MissingDependency: A library is not installed.
    """
    return _Assembly(context).open(tuple(wanted))


class _Assembly:
    """Opens outputs one by one, and holds what they share."""

    def __init__(self, context: Context) -> None:
        from edgevid.outputs.payload import EventFormatter

        self._context = context
        self._formatter = EventFormatter(live=context.source.live)
        self._telemetry: dict[str, Telemetry] = {lane.name: lane.telemetry for lane in context.lanes}
        self._reporters: list[Callable[[], Iterable[Report]]] = []
        self._outputs: list[Output] = []
        self._taps: list[Tap] = []
        self._members: list[ThreadedOutput] = []
        self._pictures: Pictures | None = None

    def open(self, wanted: tuple[OutputLike, ...]) -> RunOutputs:
        from edgevid.outputs.delivery.fanout import FanOut

        fan_out: FanOut | None = None
        try:
            # Standard output first and the recording last, in whatever order they come. All outputs
            # with threads share one fan-out between the two.
            for output in wanted:
                if isinstance(output, Lines):
                    self._add_lines(output)
            self._open_members(wanted)
            if self._members:
                fan_out = FanOut(self._members)
                self._outputs.append(fan_out)
                self._reporters.append(fan_out.reports)
            self._add_timelines([output for output in wanted if isinstance(output, Timeline)])
            for output in wanted:
                self._add_direct(output)
        except BaseException:
            for opened in self._outputs:
                opened.close()
            for member in self._members if fan_out is None else ():
                member.release()
            raise
        return RunOutputs(outputs=self._outputs, taps=self._taps, threaded=bool(self._members))

    def _open_members(self, wanted: tuple[OutputLike, ...]) -> None:
        """Open the outputs that have their own threads, in a fixed order."""
        metrics, clips, page = _at_most_one(Metrics, wanted), _at_most_one(Clips, wanted), _at_most_one(Page, wanted)
        metrics_server = self._add_metrics(metrics) if metrics else None
        # Before clips and page, which share the pictures.
        if clips or page:
            self._add_pictures(for_clips=clips is not None)
        if clips:
            self._add_clips(clips)
        for name, mqtt in _numbered("mqtt", [output for output in wanted if isinstance(output, Mqtt)]):
            self._add_mqtt(name, mqtt)
        for name, webhook in _numbered("webhook", [output for output in wanted if isinstance(output, Webhook)]):
            self._add_webhook(name, webhook)
        hub = self._add_page(page) if page else None
        functions = [function for output in wanted if (function := as_on_event(output)) is not None]
        for name, function in _numbered("function", functions):
            self._add_function(name, function)
        # Both show the state of all outputs, and read it when they are asked: some open after them.
        for reader in (metrics_server, hub):
            if reader is not None:
                reader.reports = self._reports

    def _reports(self) -> tuple[Report, ...]:
        """Return a report of every output, in the order in which they were opened."""
        return tuple(report for reporter in self._reporters for report in reporter())

    def _add_lines(self, wanted: Lines) -> None:
        several = len(self._context.lanes) > 1
        # A file can wait for a slow reader, so that no decision is lost. A camera cannot.
        if not self._context.live:
            self._outputs.append(_lines(wanted, sys.stdout, several=several))
            return
        from edgevid.outputs.delivery.fanout import FanOut
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
        from edgevid.outputs.jsonl import unbuffered

        # The runner writes to the descriptor from now on; whatever is buffered comes first.
        sys.stdout.flush()
        stream = unbuffered(sys.stdout)
        options = DeliveryOptions(decisions=_STDOUT_DECISIONS, is_essential=True)
        runner = SinkRunner("stdout", lambda: _lines(wanted, stream, several=several), options)
        out = FanOut([runner], close_s=_STDOUT_CLOSE_S)
        self._reporters.append(out.reports)
        self._outputs.append(out)

    def _add_timelines(self, wanted: Sequence[Timeline]) -> None:
        if not wanted:
            return
        from edgevid.api.open_timeline import open_timeline

        context = self._context
        recorder = open_timeline(wanted, context.lanes, source=context.source.name, live=context.live)
        self._outputs.append(recorder)
        self._taps.append(recorder)

    def _add_direct(self, wanted: OutputLike) -> None:
        """Open a recording, or add an output of the caller's, which the loop calls itself."""
        if isinstance(wanted, Record):
            from edgevid.recorder import Recorder

            recorder = Recorder(Path(wanted.path))
            self._reporters.append(lambda: (recorder.report(),))
            self._outputs.append(recorder)
            self._taps.append(recorder)
        elif not isinstance(wanted, OUTPUT_SPECS) and as_on_event(wanted) is None:
            self._outputs.append(_checked(wanted))
            # An output of the caller's may look at frames as well.
            if hasattr(wanted, "saw"):
                self._taps.append(cast("Tap", wanted))

    def _run_status(self) -> RunStatus:
        from edgevid.outputs.run_status import RunStatus

        return RunStatus(self._telemetry, board=self._context.board.facts)

    def _add_metrics(self, wanted: Metrics) -> MetricsServer:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.prometheus.metrics import MetricsServer

        server = MetricsServer(endpoint(wanted.address), telemetry=self._telemetry, status=self._run_status())
        self._members.append(server)
        return server

    def _add_pictures(self, *, for_clips: bool) -> None:
        from edgevid.outputs.video.clips import ring_for
        from edgevid.outputs.video.jpeg_ring import JpegRing
        from edgevid.outputs.video.pictures import FPS, Pictures

        # A start is reported that much after its action begins, with which the clip begins; at the
        # slowest pace most.
        delay_s = max(lane.decider.longest_delay_s for lane in self._context.lanes) * LEVELS[-1].slowdown
        self._pictures = Pictures(
            ring_for(delay_s=delay_s, fps=FPS) if for_clips else JpegRing(room_bytes=_PAGE_PICTURES_BYTES, pictures=4)
        )
        self._members.append(self._pictures)
        self._taps.append(self._pictures)

    def _add_clips(self, wanted: Clips) -> None:
        from edgevid.outputs.payload import slugs
        from edgevid.outputs.video.clip_folder import ClipFolder
        from edgevid.outputs.video.clips import ClipRecorder

        assert self._pictures is not None
        folder = ClipFolder(Path(wanted.folder), quota_bytes=wanted.mib * 2**20)
        names, live = slugs(tuple(self._telemetry)), self._context.source.live
        self._members.append(ClipRecorder(folder, self._pictures, formatter=self._formatter, slugs=names, live=live))

    def _add_page(self, wanted: Page) -> Hub:
        from edgevid.outputs.addresses import endpoint
        from edgevid.outputs.web.hub import Hub
        from edgevid.outputs.web.page import LivePage

        models, source = [page_model(lane) for lane in self._context.lanes], self._context.source.name
        hub = Hub(
            source=source,
            models=models,
            telemetry=self._telemetry,
            status=self._run_status(),
            formatter=self._formatter,
            region=self._context.region,
        )
        environment = _environment(EDGEVID_PAGE_TOKEN=wanted.token)
        self._members.append(LivePage(endpoint(wanted.address), hub, pictures=self._pictures, environment=environment))
        return hub

    def _add_mqtt(self, name: str, wanted: Mqtt) -> None:
        from edgevid.outputs.addresses import broker
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
        from edgevid.outputs.mqtt import publisher

        environment = _environment(EDGEVID_MQTT_USERNAME=wanted.username, EDGEVID_MQTT_PASSWORD=wanted.password)
        where = broker(wanted.url, environment)
        # A missing library or a wrong certificate is the caller's error: raise it here, not in the
        # thread.
        publisher.check(where)
        models = [published_model(lane) for lane in self._context.lanes]
        snapshot, formatter = self._run_status().snapshot, self._formatter

        def connect() -> publisher.MqttPublisher:
            return publisher.MqttPublisher(where, models=models, formatter=formatter, telemetry=snapshot)

        options = DeliveryOptions(is_sampled=True, first_pause_s=0.5, longest_pause_s=5.0)
        self._members.append(SinkRunner(name, connect, options))

    def _add_webhook(self, name: str, wanted: Webhook) -> None:
        from edgevid.outputs.addresses import webhook_url
        from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
        from edgevid.outputs.webhook import WebhookSender, check

        url, formatter = webhook_url(wanted.url), self._formatter
        environment = _environment(EDGEVID_WEBHOOK_TOKEN=wanted.token)
        check(url, environment)
        self._members.append(
            SinkRunner(
                name,
                lambda: WebhookSender(url, formatter=formatter, environment=environment),
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


def _at_most_one(kind: type[Kind], wanted: Iterable[object]) -> Kind | None:
    matches = [output for output in wanted if isinstance(output, kind)]
    if len(matches) > 1:
        raise UsageError(expected=f"at most one {kind.__name__}", got=len(matches))
    return matches[0] if matches else None


def _numbered(name: str, outputs: Sequence[Kind]) -> list[tuple[str, Kind]]:
    """Name each output for logs and metrics, such as mqtt and mqtt_2."""
    return [(name if number == 1 else f"{name}_{number}", output) for number, output in enumerate(outputs, start=1)]


def _checked(wanted: object) -> Output:
    missing = [name for name in ("decided", "started", "ended", "close") if not callable(getattr(wanted, name, None))]
    if missing or isinstance(wanted, type):
        legal = (
            *(kind.__name__ for kind in OUTPUT_SPECS),
            "a function",
            "or an object with decided, started, ended and close",
        )
        raise UsageError(expected="an output", choices=legal, got=wanted)
    return cast("Output", wanted)


def _environment(**values: str | None) -> Mapping[str, str]:
    """Return the environment, with the caller's values in place of its variables."""
    return {**os.environ, **{name: value for name, value in values.items() if value is not None}}


def _lines(wanted: Lines, stream: TextIO, *, several: bool) -> Output:
    from edgevid.outputs.jsonl import EventLines, JsonLines

    return JsonLines(stream, several=several) if wanted.json else EventLines(stream, sys.stderr, several=several)
