"""Metrics for Prometheus, served at `http://HOST:PORT/metrics`.

In the loop only decisions and events are counted, by label; the rest is read when a client scrapes.
Names follow Prometheus' conventions: base units, and `_total` for counters. `docs/reference/outputs.md` lists
all metrics, and a test compares that list with the served ones. Only this file imports
prometheus-client.

Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from edgevid import __version__
from edgevid.errors import MissingDependency
from edgevid.events.decide import Decision, Event
from edgevid.outputs.addresses import Endpoint, listen
from edgevid.outputs.delivery.sink import Report
from edgevid.outputs.delivery.threaded import ThreadedOutput
from edgevid.outputs.delivery.worker import WorkerRun
from edgevid.outputs.host_check import is_allowed_host
from edgevid.outputs.prometheus.buckets import Histogram
from edgevid.outputs.prometheus.recent import RecentAnswers
from edgevid.outputs.prometheus.server import ScrapeServer
from edgevid.outputs.run_status import RunStatus
from edgevid.telemetry.telemetry import STAGES, Telemetry
from edgevid.telemetry.thread_faults import thread_faults

_PURPOSE = "--metrics"
# Fact of the board: name of the metric, help, and factor to its base unit.
_BOARD: Mapping[str, tuple[str, str, float]] = {
    "temperature_c": ("edgevid_soc_temperature_celsius", "Temperature of the chip.", 1.0),
    "clock_mhz": ("edgevid_soc_clock_hertz", "Clock of the first core, as requested by the kernel.", 1e6),
    "fan_rpm": ("edgevid_fan_rpm", "Speed of the fan, in revolutions per minute.", 1.0),
    "memory_available_mib": ("edgevid_memory_available_bytes", "Memory available to new programs.", 2.0**20),
}
_CONDITIONS = ("under_voltage", "capped", "throttled", "soft_limit")
# Of decisions or events: count by (model, label).
_Counts = Counter[tuple[str, str]]


class MetricsServer(ThreadedOutput):
    """An output that counts decisions and events, and serves all metrics of the run.

    Args:
        endpoint: The address to listen on.
        telemetry: Telemetry of each model, by name.
        status: Rates, memory and board.
        reports: Returns the reports of all outputs; may be assigned later.

    Attributes:
        endpoint: With the port that is in use.

    Raises:
        UsageError: The address is in use or belongs to another machine.
        MissingDependency: prometheus-client is not installed.
    """

    name = "metrics"

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        telemetry: Mapping[str, Telemetry],
        status: RunStatus,
        reports: Callable[[], Iterable[Report]] = tuple,
    ) -> None:
        self.reports = reports
        self._telemetry = dict(telemetry)
        self._status = status
        self._decisions: _Counts = Counter()
        self._started: _Counts = Counter()
        self._ended: _Counts = Counter()
        self._buckets = {
            name: {stage: Histogram(getattr(each, stage)) for stage in STAGES} for name, each in self._telemetry.items()
        }
        self._app = _application(self, endpoint)
        bound = listen(endpoint, purpose=_PURPOSE)
        self.endpoint = Endpoint(host=endpoint.host, port=bound.getsockname()[1])
        self._server: ScrapeServer | None = ScrapeServer(bound, self._app, self._fold)
        super().__init__(self._serve, rescue=self._stop)

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        self._decisions[decision.model, decision.label] += 1

    def started(self, event: Event) -> None:
        """Count the start of an event."""
        self._started[event.model, event.label] += 1

    def ended(self, event: Event) -> None:
        """Count the end of an event."""
        self._ended[event.model, event.label] += 1

    def finish(self, deadline_ns: int) -> None:
        """Stop serving. Does not block.

        Args:
            deadline_ns: Ignored, as nothing is queued.
        """
        super().finish(deadline_ns)
        self._stop()

    def release(self) -> None:
        """Close the listening socket."""
        if self._server is not None:
            self._server.close()

    def report(self) -> Report:
        """Return scrapes and displaced clients, as `delivered`, and the current problem."""
        server = self._server
        delivered = {} if server is None else {"scrape": server.answered, "displaced": server.clients.displaced}
        return self._report(delivered=delivered)

    def collect(self) -> Iterator[Any]:
        """Yield all metric families; prometheus-client calls it for each scrape."""
        self._fold()
        models = [({"version": __version__, "model": name}, 1.0) for name in self._telemetry]
        yield _family("gauge", "edgevid_info", "Version and models.", models)
        yield from self._latency()
        yield from self._frames()
        yield from self._degradation()
        yield from self._answers()
        yield from self._device()
        yield from self._outputs()

    def _latency(self) -> Iterator[Any]:
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
        text = "Time of a frame in each stage of the loop."
        yield _histogram("edgevid_stage_seconds", text, ("model", "stage"), stages)
        text = "Age of an answer, from the sensor to the decision, for a live source."
        yield _histogram("edgevid_answer_age_seconds", text, ("model",), ages)

    def _frames(self) -> Iterator[Any]:
        # All models share the source, so the first one's counts of its frames hold for all.
        first = next(iter(self._telemetry.values()))
        yield _family("counter", "edgevid_frames", "Frames that the source delivered.", [({}, first.seen)])
        taken = [({"model": name}, each.taken) for name, each in self._telemetry.items()]
        yield _family("counter", "edgevid_frames_taken", "Frames that a model took.", taken)
        drops = [({"cause": cause}, count) for cause, count in first.drops.items()]
        yield _family("counter", "edgevid_frames_dropped", "Frames lost, by cause.", drops)
        yield _family("counter", "edgevid_gaps", "Restarts of the window because time jumped.", [({}, first.gaps)])
        text = "Frame rate of the source."
        yield _family("gauge", "edgevid_camera_frames_per_second", text, [({}, self._status.camera_fps())])
        rates = [({"model": name}, rate) for name, rate in self._status.model_fps().items()]
        yield _family("gauge", "edgevid_model_frames_per_second", "Rate at which a model takes frames.", rates)

    def _degradation(self) -> Iterator[Any]:
        """Yield the deviations of a device that cannot keep up or lost its accelerator."""
        models = self._telemetry.items()
        levels = [({"model": name}, each.pace_level) for name, each in models]
        yield _family("gauge", "edgevid_pace_level", "Reduction of work to keep up; 0 for none.", levels)
        missed = [({"model": name}, each.missed) for name, each in models]
        yield _family("counter", "edgevid_due_times_missed", "Due times that passed without a frame.", missed)
        starved = [({"model": name}, float(each.is_starved)) for name, each in models]
        text = "1 while the source delivers too few frames for the model."
        yield _family("gauge", "edgevid_source_too_slow", text, starved)
        unanswered = [({"model": name}, each.unanswered) for name, each in models]
        text = "Frames taken without an answer of their own, to keep up."
        yield _family("counter", "edgevid_frames_unanswered", text, unanswered)
        fallbacks = [({"model": name, "reason": each.fallback}, 1.0) for name, each in models if each.fallback]
        text = "1 for a model that runs on the CPU because its accelerator is not available."
        yield _family("gauge", "edgevid_delegate_fallback", text, fallbacks)
        faults = [({"thread": thread}, count) for thread, count in thread_faults().items()]
        yield _family("counter", "edgevid_thread_faults", "Turns of a background thread that failed.", faults)

    def _answers(self) -> Iterator[Any]:
        text = "Decisions, by the label with the highest probability."
        yield _family("counter", "edgevid_decisions", text, _by_label(self._decisions))
        yield _family("counter", "edgevid_events_started", "Events that started.", _by_label(self._started))
        yield _family("counter", "edgevid_events", "Events that ended.", _by_label(self._ended))

    def _device(self) -> Iterator[Any]:
        facts = self._status.board()
        for key, (name, text, factor) in _BOARD.items():
            if key in facts:
                yield _family("gauge", name, text, [({}, facts[key] * factor)])
        conditions = [({"condition": each}, float(facts[each])) for each in _CONDITIONS if each in facts]
        if conditions:
            yield _family("gauge", "edgevid_soc_condition", "1 while the firmware reports the condition.", conditions)

    def _outputs(self) -> Iterator[Any]:
        reports = tuple(self.reports())
        healthy = [({"output": each.name}, each.problem is None) for each in reports]
        yield _family("gauge", "edgevid_output_up", "1 while an output has no problem.", healthy)
        waiting = [({"output": each.name}, each.waiting) for each in reports]
        yield _family("gauge", "edgevid_output_waiting", "Messages queued in an output.", waiting)
        delivered = [
            ({"output": each.name, "kind": kind}, count) for each in reports for kind, count in each.delivered.items()
        ]
        yield _family("counter", "edgevid_output_delivered", "Messages delivered by an output.", delivered)
        dropped = [
            ({"output": each.name, "cause": cause}, count) for each in reports for cause, count in each.dropped.items()
        ]
        yield _family("counter", "edgevid_output_dropped", "Messages dropped by an output, by cause.", dropped)
        restarts = [({"output": each.name}, each.restarts) for each in reports]
        yield _family("counter", "edgevid_output_restarts", "Restarts of an output after a fault.", restarts)

    def _fold(self) -> None:
        for stages in self._buckets.values():
            for each in stages.values():
                each.fold()

    def _serve(self, run: WorkerRun) -> None:
        server = self._server
        if server is None:  # after a fault: `__init__` opens the first, to report a bad address early
            bound = listen(self.endpoint, purpose=_PURPOSE)
            server = self._server = ScrapeServer(bound, self._app, self._fold)
        try:
            server.serve(run)
        finally:
            self._server = None
            server.close()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.leave()


def _application(metrics: MetricsServer, endpoint: Endpoint) -> Any:
    """Return prometheus-client's WSGI application, behind its recent answers and a check of the Host header."""
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
    except ImportError as error:
        raise MissingDependency(
            expected="prometheus-client for --metrics", found="none", hint="Run: pip install 'edgevid[metrics]'."
        ) from error
    # With auto_describe, registration would call collect() on a `metrics` that is not initialized.
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(metrics)
    serve = RecentAnswers(make_wsgi_app(registry))

    def guarded(environ: dict[str, Any], start_response: Any) -> Any:
        if not is_allowed_host(environ.get("HTTP_HOST"), endpoint):
            start_response("421 Misdirected Request", [("Content-Type", "text/plain")])
            return [b"This name is not one of this machine's.\n"]
        return serve(environ, start_response)

    return guarded


def _by_label(counts: _Counts) -> list[tuple[dict[str, str], float]]:
    # list() copies in one step, while the loop may add a label.
    return [({"model": model, "label": label}, count) for (model, label), count in list(counts.items())]


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
