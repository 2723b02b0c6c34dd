"""Metrics, scraped over HTTP and read by Prometheus' own parser."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgevid.errors import MissingDependency, UsageError
from edgevid.outputs import pending
from edgevid.outputs.addresses import Endpoint
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.delivery.runner import SinkRunner
from edgevid.outputs.prometheus import recent
from edgevid.outputs.prometheus.buckets import BOUNDS_S, Histogram
from edgevid.outputs.prometheus.metrics import MetricsServer
from edgevid.outputs.run_status import Rate, RunStatus
from edgevid.telemetry.latency import CAPACITY, LatencySamples
from edgevid.telemetry.telemetry import Telemetry
from tests.edgevid.outputs.sinks import Told, decision, event, until

BOARD = {"temperature_c": 61.5, "clock_mhz": 1500, "throttled": 1, "under_voltage": 0}


def telemetry() -> Telemetry:
    made = Telemetry()
    made.seen, made.taken, made.gaps = 100, 50, 2
    made.drops["source"] = 7
    made.missed, made.is_starved = 7, True
    made.pace_level, made.unanswered, made.fallback = 2, 9, "the device is gone"
    for ms in (1, 2, 3, 400):
        made.total.record(ms * 1_000_000)
        made.age.record(ms * 1_000_000)
    return made


@pytest.fixture
def served() -> Iterator[tuple[MetricsServer, FanOut]]:
    measured = {"tiny": telemetry()}
    metrics = MetricsServer(
        Endpoint(host="127.0.0.1", port=0), telemetry=measured, status=RunStatus(measured, board=lambda: BOARD)
    )
    outputs = FanOut([metrics, SinkRunner("told", Told)])
    metrics.reports = outputs.reports
    yield metrics, outputs
    outputs.close()


def scraped(metrics: MetricsServer, **headers: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{metrics.endpoint.port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


def test_frames_answers_events_heat_and_outputs_are_served_as_prometheus_reads_them(
    served: tuple[MetricsServer, FanOut],
) -> None:
    metrics, outputs = served
    outputs.decided(decision(1.0))
    outputs.decided(decision(2.0, "none"))
    outputs.started(event(1.0))
    outputs.ended(event(1.0, ended=True))
    until(lambda: outputs.reports()[1].delivered == {"decision": 2, "event": 2})
    text = scraped(metrics)
    assert value(text, "edgevid_frames_total") == 100
    assert value(text, "edgevid_frames_dropped_total", cause="source") == 7
    assert value(text, "edgevid_decisions_total", model="tiny", label="wave") == 1
    assert value(text, "edgevid_events_total", model="tiny", label="wave") == 1
    assert value(text, "edgevid_soc_temperature_celsius") == 61.5
    assert value(text, "edgevid_soc_clock_hertz") == 1.5e9
    assert value(text, "edgevid_soc_condition", condition="throttled") == 1
    assert value(text, "edgevid_soc_condition", condition="under_voltage") == 0
    assert value(text, "edgevid_output_delivered_total", output="told", kind="event") == 2
    assert value(text, "edgevid_output_up", output="told") == 1
    assert value(text, "process_resident_memory_bytes") > 1e6


def test_latency_is_a_histogram_in_seconds_by_stage(served: tuple[MetricsServer, FanOut]) -> None:
    text = scraped(served[0])
    assert value(text, "edgevid_stage_seconds_count", model="tiny", stage="total") == 4
    assert value(text, "edgevid_stage_seconds_sum", model="tiny", stage="total") == pytest.approx(0.406)
    assert value(text, "edgevid_stage_seconds_bucket", model="tiny", stage="total", le="0.0025") == 2
    assert value(text, "edgevid_answer_age_seconds_bucket", model="tiny", le="+Inf") == 4


def test_each_name_is_in_base_units_and_says_what_it_counts(served: tuple[MetricsServer, FanOut]) -> None:
    for family in text_string_to_metric_families(scraped(served[0])):
        assert family.documentation
        assert not family.name.endswith(("_ms", "_mib", "_mhz"))
        assert family.type in ("counter", "gauge", "histogram")


def test_histograms_never_shrink_between_two_scrapes(served: tuple[MetricsServer, FanOut]) -> None:
    metrics, _ = served
    before = samples(scraped(metrics))
    after = samples(scraped(metrics))
    assert [
        name
        for name, count in before.items()
        if name[0].endswith(("_total", "_bucket", "_count", "_sum")) and after[name] < count
    ] == []


def test_a_request_in_a_strangers_name_is_not_answered(served: tuple[MetricsServer, FanOut]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        scraped(served[0], Host="evil.example.com")
    assert refused.value.code == 421
    refused.value.close()


def test_clients_that_hang_are_dropped_and_do_not_shut_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "REQUEST_S", 0.2)
    measured = {"tiny": telemetry()}
    metrics = MetricsServer(Endpoint(host="127.0.0.1", port=0), telemetry=measured, status=RunStatus(measured))
    outputs = FanOut([metrics])
    hanging = [socket.create_connection(("127.0.0.1", metrics.endpoint.port)) for _ in range(40)]
    for client in hanging:
        client.sendall(b"GET /metr")
    for client in hanging:
        client.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        client.close()
    assert "edgevid_frames_total" in scraped(metrics)
    assert {thread.name for thread in threading.enumerate()} <= {"MainThread", "edgevid-metrics", "edgevid-outputs"}
    outputs.close()


ODD_REQUESTS = {
    "zeros": b"\x00" * 100,
    "no path": b"GET\r\n\r\n",
    "negative length": b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    "no end": b"G" * 70_000,
    "two hosts": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "many headers": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100 + b"\r\n",
    "a folded header": b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n more\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", ODD_REQUESTS.values(), ids=list(ODD_REQUESTS))
def test_requests_that_are_none_leave_the_server_serving(
    served: tuple[MetricsServer, FanOut], request_bytes: bytes
) -> None:
    metrics, _ = served
    with socket.create_connection(("127.0.0.1", metrics.endpoint.port)) as client:
        client.sendall(request_bytes)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert not client.recv(4096).startswith(b"HTTP/1.1 200")
            while client.recv(4096):
                pass
    assert "edgevid_frames_total" in scraped(metrics)


def test_after_a_fault_the_same_place_is_taken_again(
    served: tuple[MetricsServer, FanOut], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, outputs = served
    assert metrics._server is not None
    monkeypatch.setattr(metrics._server, "_each_second", lambda: 1 / 0)
    until(lambda: outputs.reports()[0].restarts == 1)
    until(lambda: _answers(metrics))
    assert "edgevid_frames_total" in scraped(metrics)


def _answers(metrics: MetricsServer) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", metrics.endpoint.port, timeout=5)
        connection.request("GET", "/metrics")
        connection.getresponse().read()
        connection.close()
    except OSError:
        return False
    return True


def test_a_place_that_is_taken_is_refused_before_the_run(served: tuple[MetricsServer, FanOut]) -> None:
    measured = {"tiny": telemetry()}
    with pytest.raises(UsageError, match="Choose another port"):
        MetricsServer(served[0].endpoint, telemetry=measured, status=RunStatus(measured))


def test_without_prometheus_client_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(MissingDependency, match=r"edgevid\[metrics\]"):
        MetricsServer(
            Endpoint(host="127.0.0.1", port=0), telemetry={"tiny": telemetry()}, status=RunStatus({"tiny": telemetry()})
        )


def test_buckets_count_every_sample_once_and_say_how_many_were_overwritten() -> None:
    histogram = LatencySamples()
    buckets = Histogram(histogram)
    rng = np.random.default_rng(5)
    samples_ns = rng.integers(1, 10**9, 10_000).tolist()
    for index, ns in enumerate(samples_ns):
        histogram.record(ns)
        if index % 1000 == 0:
            buckets.fold()
    buckets.fold()
    expected: list[tuple[str, Any]] = [(str(bound), sum(ns <= bound * 1e9 for ns in samples_ns)) for bound in BOUNDS_S]
    assert buckets.cumulative() == [*expected, ("+Inf", 10_000)]
    assert buckets.sum_s == pytest.approx(sum(samples_ns) / 1e9)
    assert buckets.missed == 0
    for _ in range(CAPACITY + 10):
        histogram.record(1)
    buckets.fold()
    assert buckets.missed == 10


def test_a_rate_is_growth_a_second_between_two_looks() -> None:
    rate = Rate()
    began_ns = rate._at_ns
    assert rate.of(60, now_ns=began_ns + 2_000_000_000) == 30
    assert rate.of(61, now_ns=began_ns + 2_100_000_000) == 30
    assert rate.of(70, now_ns=began_ns + 3_000_000_000) == 10


def test_what_was_given_up_to_keep_up_or_for_want_of_an_accelerator_is_there(
    served: tuple[MetricsServer, FanOut],
) -> None:
    found = samples(scraped(served[0]))
    model = ("model", "tiny")
    assert found["edgevid_pace_level", frozenset([model])] == 2
    assert found["edgevid_source_too_slow", frozenset([model])] == 1
    assert found["edgevid_due_times_missed_total", frozenset([model])] == 7
    assert found["edgevid_frames_unanswered_total", frozenset([model])] == 9
    assert found["edgevid_delegate_fallback", frozenset([model, ("reason", "the device is gone")])] == 1


def test_a_flood_of_scrapes_reads_the_metrics_once_a_second(
    served: tuple[MetricsServer, FanOut], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, _ = served
    read: list[int] = []
    monkeypatch.setattr(recent, "RECENT_S", 1000.0)
    monkeypatch.setattr(metrics, "_device", lambda: read.append(1) or iter(()))
    assert len({scraped(metrics) for _ in range(20)}) == 1
    assert len(read) == 1
    assert "# EOF" in scraped(metrics, Accept="application/openmetrics-text; version=1.0.0; escaping=underscores")
