"""Metrics for Prometheus at `http://HOST:PORT/metrics`, through prometheus-client: this is the only file that imports it.

The loop only counts decisions and events by label; everything else is read when somebody asks. Names follow Prometheus' conventions: base
units, `_total` for what only grows. `docs/outputs.md` lists them all, and a test holds that list against what is served.

Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from edgevid import __version__
from edgevid.errors import MissingDependency
from edgevid.events.decide import Decision, Event
from edgevid.outputs.addresses import Endpoint, listen
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.watched import RestartingOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.host_check import may_ask
from edgevid.outputs.prometheus.buckets import Histogram
from edgevid.outputs.prometheus.server import ScrapeServer
from edgevid.outputs.run_status import RunStatus
from edgevid.telemetry.telemetry import STAGES, Telemetry

# The board's facts, and what they are called here with what they are multiplied by.
_BOARD: Mapping[str, tuple[str, str, float]] = {
    "temperature_c": ("edgevid_soc_temperature_celsius", "Temperature of the chip.", 1.0),
    "clock_mhz": ("edgevid_soc_clock_hertz", "Clock of the first core, as the kernel asked for it.", 1e6),
    "fan_rpm": ("edgevid_fan_rpm", "Speed of the fan, in revolutions a minute.", 1.0),
    "memory_available_mib": ("edgevid_memory_available_bytes", "Memory that new programs can have.", 2.0**20),
}
_CONDITIONS = ("under_voltage", "capped", "throttled", "soft_limit")


class MetricsServer(RestartingOutput):
    """A member of the outputs that counts, and serves what it counted.

    Args:
        where: Where to listen.
        telemetry: Of each model, by name.
        vitals: Rates, memory and board.
        reports: How the other outputs are doing; may be set later.

    Raises:
        UsageError: The address is taken or not this machine's.
        MissingDependency: prometheus-client is not installed.
    """

    name = "metrics"

    def __init__(
        self,
        where: Endpoint,
        *,
        telemetry: Mapping[str, Telemetry],
        vitals: RunStatus,
        reports: Callable[[], Iterable[Report]] = tuple,
    ) -> None:
        self.reports = reports
        self._telemetry = dict(telemetry)
        self._vitals = vitals
        self._decisions: Counter[tuple[str, str]] = Counter()
        self._started: Counter[tuple[str, str]] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._buckets = {
            name: {stage: Histogram(getattr(each, stage)) for stage in STAGES} for name, each in self._telemetry.items()
        }
        self._folding = threading.Lock()
        self._app = _application(self, where)
        bound = listen(where, purpose="--metrics")
        self.where = Endpoint(host=where.host, port=bound.getsockname()[1])
        self._server: ScrapeServer | None = ScrapeServer(bound, self._app, self._fold)
        super().__init__(self._serve, rescue=self._stop)

    def decided(self, decision: Decision) -> None:
        """Count a decision.

        Args:
            decision: It.
        """
        self._decisions[decision.model, decision.label] += 1

    def started(self, event: Event) -> None:
        """Count an event that began.

        Args:
            event: It.
        """
        self._started[event.model, event.label] += 1

    def ended(self, event: Event) -> None:
        """Count an event that ended.

        Args:
            event: It.
        """
        self._ended[event.model, event.label] += 1

    def finish(self, deadline_ns: int) -> None:
        """Stop serving.

        Args:
            deadline_ns: Not needed: nothing waits.
        """
        super().finish(deadline_ns)
        self._stop()

    def report(self) -> Report:
        """Say how it is doing.

        Returns:
            Scrapes as what was delivered.
        """
        scrapes = 0 if self._server is None else self._server.answered
        return self._report(delivered={"scrape": scrapes})

    def collect(self) -> Iterator[Any]:
        """Give every metric, for prometheus-client.

        Yields:
            Metric families.
        """
        self._fold()
        yield _family(
            "gauge",
            "edgevid_info",
            "Version and models.",
            [({"version": __version__, "model": name}, 1.0) for name in self._telemetry],
        )
        yield from self._latency()
        yield from self._frames()
        yield from self._given_up()
        yield from self._answers()
        yield from self._device()
        yield from self._outputs()

    def _latency(self) -> Iterator[Any]:
        with self._folding:
            rows = [
                (model, stage, each.cumulative(), each.sum_s)
                for model, stages in self._buckets.items()
                for stage, each in stages.items()
                if each.sum_s
            ]
        stages = [
            ({"model": model, "stage": stage}, buckets, sum_s)
            for model, stage, buckets, sum_s in rows
            if stage != "age"
        ]
        ages = [({"model": model}, buckets, sum_s) for model, stage, buckets, sum_s in rows if stage == "age"]
        yield _histogram(
            "edgevid_stage_seconds", "Time of a frame in each stage of the loop.", ("model", "stage"), stages
        )
        yield _histogram(
            "edgevid_answer_age_seconds", "From the sensor to the decision, for a live source.", ("model",), ages
        )

    def _frames(self) -> Iterator[Any]:
        first = next(iter(self._telemetry.values()))
        yield _family("counter", "edgevid_frames", "Frames that the source gave.", [({}, first.seen)])
        yield _family(
            "counter",
            "edgevid_frames_taken",
            "Frames that a model took.",
            [({"model": name}, each.taken) for name, each in self._telemetry.items()],
        )
        yield _family(
            "counter",
            "edgevid_frames_dropped",
            "Frames lost, by cause.",
            [({"cause": cause}, count) for cause, count in first.drops.items()],
        )
        yield _family("counter", "edgevid_gaps", "Restarts of the window because time jumped.", [({}, first.gaps)])
        yield _family(
            "gauge", "edgevid_camera_frames_per_second", "Rate of the source.", [({}, self._vitals.camera_fps())]
        )
        rates = [({"model": name}, rate) for name, rate in self._vitals.model_fps().items()]
        yield _family("gauge", "edgevid_model_frames_per_second", "Rate at which a model takes frames.", rates)

    def _given_up(self) -> Iterator[Any]:
        """What a device that cannot keep up, or lost its accelerator, does otherwise than it was asked to."""
        models = self._telemetry.items()
        yield _family(
            "gauge",
            "edgevid_pace_level",
            "How much is given up to keep up; 0 for nothing.",
            [({"model": name}, each.pace_level) for name, each in models],
        )
        unanswered = [({"model": name}, each.unanswered) for name, each in models]
        yield _family(
            "counter",
            "edgevid_frames_unanswered",
            "Frames that were taken and got no answer of their own, to keep up.",
            unanswered,
        )
        fallbacks = [({"model": name, "reason": each.fallback}, 1.0) for name, each in models if each.fallback]
        yield _family(
            "gauge",
            "edgevid_delegate_fallback",
            "1 for a model that runs on the CPU because its accelerator cannot be had.",
            fallbacks,
        )

    def _answers(self) -> Iterator[Any]:
        def rows(counts: Counter[tuple[str, str]]) -> list[tuple[dict[str, str], float]]:
            return [({"model": model, "label": label}, count) for (model, label), count in list(counts.items())]

        yield _family(
            "counter", "edgevid_decisions", "Answers, by the label with the highest probability.", rows(self._decisions)
        )
        yield _family("counter", "edgevid_events_started", "Events that began.", rows(self._started))
        yield _family("counter", "edgevid_events", "Events that ended.", rows(self._ended))

    def _device(self) -> Iterator[Any]:
        facts = self._vitals.board()
        for key, (name, text, factor) in _BOARD.items():
            if key in facts:
                yield _family("gauge", name, text, [({}, facts[key] * factor)])
        conditions = [({"condition": each}, float(facts[each])) for each in _CONDITIONS if each in facts]
        if conditions:
            yield _family(
                "gauge", "edgevid_soc_condition", "1 where the firmware says that this holds now.", conditions
            )

    def _outputs(self) -> Iterator[Any]:
        reports = tuple(self.reports())
        yield _family(
            "gauge",
            "edgevid_output_up",
            "1 where an output has no problem.",
            [({"output": each.name}, each.problem is None) for each in reports],
        )
        yield _family(
            "gauge",
            "edgevid_output_waiting",
            "Messages that wait in an output.",
            [({"output": each.name}, each.waiting) for each in reports],
        )
        given = [
            ({"output": each.name, "kind": kind}, count) for each in reports for kind, count in each.delivered.items()
        ]
        yield _family("counter", "edgevid_output_delivered", "What an output gave out.", given)
        lost = [
            ({"output": each.name, "cause": cause}, count) for each in reports for cause, count in each.dropped.items()
        ]
        yield _family("counter", "edgevid_output_dropped", "What an output did not give out, by cause.", lost)
        restarts = [({"output": each.name}, each.restarts) for each in reports]
        yield _family(
            "counter", "edgevid_output_restarts", "Times that an output was begun again after a fault.", restarts
        )

    def _fold(self) -> None:
        with self._folding:
            for stages in self._buckets.values():
                for each in stages.values():
                    each.fold()

    def _serve(self, run: WorkerRun) -> None:
        server = self._server
        if server is None:  # after a fault: the place is taken again
            server = self._server = ScrapeServer(listen(self.where, purpose="--metrics"), self._app, self._fold)
        try:
            server.serve(run)
        finally:
            self._server = None
            server.server_close()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.leave()


def _application(metrics: MetricsServer, where: Endpoint) -> Any:
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
    except ImportError as error:
        raise MissingDependency(
            expected="prometheus-client for --metrics", found="none", hint="Run: pip install 'edgevid[metrics]'."
        ) from error
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(metrics)
    serve = make_wsgi_app(registry)

    def guarded(environ: dict[str, Any], start_response: Any) -> Any:
        if not may_ask(environ.get("HTTP_HOST"), where):
            start_response("421 Misdirected Request", [("Content-Type", "text/plain")])
            return [b"This name is not one of this machine's.\n"]
        return serve(environ, start_response)

    return guarded


def _family(kind: str, name: str, text: str, rows: Iterable[tuple[Mapping[str, str], float]]) -> Any:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, text)
    for labels, value in rows:
        family.add_sample(f"{name}_total" if kind == "counter" else name, dict(labels), float(value))
    return family


def _histogram(
    name: str,
    text: str,
    labels: tuple[str, ...],
    rows: Iterable[tuple[Mapping[str, str], list[tuple[str, float]], float]],
) -> Any:
    from prometheus_client.metrics_core import HistogramMetricFamily

    family = HistogramMetricFamily(name, text, labels=labels)
    for values, buckets, sum_s in rows:
        family.add_metric([values[label] for label in labels], buckets, sum_s)
    return family
