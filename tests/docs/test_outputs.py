"""The page about outputs says what is really published, posted and served."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edgevid.outputs.addresses import Endpoint, broker
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.delivery.runner import SinkRunner
from edgevid.outputs.mqtt.homeassistant import PublishedModel
from edgevid.outputs.mqtt.publisher import MqttPublisher
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.prometheus.metrics import MetricsServer
from edgevid.outputs.run_status import RunStatus
from edgevid.telemetry.telemetry import Telemetry
from tests.docs.pages import ROOT
from tests.edgevid.outputs.sinks import LABELS, Told, decision, event, until
from tests.servers.broker import Mosquitto, listening, needs_mosquitto

PAGE = (ROOT / "docs" / "reference" / "outputs.md").read_text()
BOARD = dict.fromkeys(
    (
        "temperature_c",
        "clock_mhz",
        "fan_rpm",
        "memory_available_mib",
        "under_voltage",
        "capped",
        "throttled",
        "soft_limit",
    ),
    1.0,
)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its heading."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_metric_is_listed_with_its_type_and_labels_and_no_other() -> None:
    telemetry = Telemetry()
    telemetry.total.record(1)
    telemetry.age.record(1)
    telemetry.fallback = "unplugged"
    measured = {"tiny": telemetry}
    metrics = MetricsServer(
        Endpoint(host="localhost", port=0), telemetry=measured, status=RunStatus(measured, board=lambda: BOARD)
    )
    outputs = FanOut([metrics, SinkRunner("told", Told)])
    metrics.reports = outputs.reports
    outputs.decided(decision(1.0))
    outputs.started(event(1.0))
    outputs.ended(event(1.0, ended=True))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    served = {}
    for family in registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        served[family.name + ("_total" if family.type == "counter" else "")] = [family.type, sorted(labels)]
    outputs.close()
    assert {names(row[0])[0]: [row[1], names(row[2])] for row in rows("Metrics")} == served


def test_each_field_of_an_event_is_listed_and_no_other() -> None:
    told = EventFormatter(live=True).event(dataclasses.replace(event(1.0, 2.0), values={"box": [0.5]}))
    assert [names(row[0])[0] for row in rows("Events")] == [
        *(
            "event",
            "phase",
            "id",
            "model",
            "start_s",
            "announced_s",
            "end_s",
            "duration_s",
            "score",
            "age_ms",
            "start",
            "end",
            "values",
        )
    ]
    assert {names(row[0])[0] for row in rows("Events")} == set(told)


@needs_mosquitto
def test_each_topic_is_listed_and_no_other(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    where = broker(f"mqtt://127.0.0.1:{mosquitto.port}/PREFIX?discovery=off", {})
    with listening(mosquitto.port) as listener:
        outputs = FanOut(
            [
                SinkRunner(
                    "mqtt",
                    lambda: MqttPublisher(
                        where, models=[PublishedModel("MODEL", LABELS, LABELS)], formatter=EventFormatter(live=True)
                    ),
                )
            ]
        )
        outputs.decided(decision(1.0, model="MODEL"))
        outputs.started(event(1.0, model="MODEL"))
        outputs.ended(event(1.0, model="MODEL", ended=True))
        wanted = {names(row[0])[0] for row in rows("MQTT")}
        until(lambda: wanted <= {topic for topic, _, _ in listener.heard})
        outputs.close()
        assert {topic for topic, _, _ in listener.heard} == wanted
    mosquitto.stop()


@pytest.mark.parametrize("variable", sorted(set(re.findall(r"EDGEVID_[A-Z_]+", PAGE))))
def test_each_variable_of_the_environment_is_one_that_the_code_reads(variable: str) -> None:
    assert any(f'"{variable}"' in path.read_text() for path in (ROOT / "edgevid" / "outputs").rglob("*.py"))


@pytest.mark.parametrize("path", sorted((ROOT / "edgevid" / "outputs").rglob("*.py")), ids=lambda path: path.name)
def test_each_variable_of_the_environment_that_the_outputs_read_is_on_the_page(path: Path) -> None:
    assert set(re.findall(r'"(EDGEVID_[A-Z_]+)"', path.read_text())) <= set(re.findall(r"EDGEVID_[A-Z_]+", PAGE))
