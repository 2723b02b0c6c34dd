"""MQTT against a real broker that comes and goes."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgevid.errors import MissingDependency, UsageError
from edgevid.outputs.addresses import Broker, broker
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
from edgevid.outputs.mqtt import publisher
from edgevid.outputs.mqtt.homeassistant import PublishedModel, messages
from edgevid.outputs.mqtt.publisher import IN_FLIGHT, MqttPublisher
from edgevid.outputs.payload import EventFormatter
from tests.edgevid.outputs.sinks import LABELS, decision, event, until
from tests.servers.broker import Listener, Mosquitto, free_port, listening, needs_mosquitto
from tests.servers.link import Link, linked

MODELS = (PublishedModel("tiny", LABELS, LABELS[1:]),)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


def at(port: int, **changes: object) -> Broker:
    return dataclasses.replace(broker(f"mqtt://127.0.0.1:{port}/hall/camera", {}), **changes)  # type: ignore[arg-type]


def runner(where: Broker) -> SinkRunner:
    formatter = EventFormatter(live=True, run="run")
    return SinkRunner(
        "mqtt",
        lambda: MqttPublisher(
            where, models=MODELS, formatter=formatter, telemetry=lambda: {"camera_fps": 29.5, "dropped": 3}
        ),
        DeliveryOptions(first_pause_s=0.05, longest_pause_s=0.2),
    )


def heard(listener: Listener) -> list[tuple[str, float]]:
    """The starts and ends that came to a listener."""
    return [
        (payload["phase"], payload["start_s"])
        for topic, payload, _ in listener.heard
        if topic.startswith("hall/camera/tiny/event/")
    ]


@needs_mosquitto
def test_events_are_published_once_and_state_telemetry_and_status_are_retained(mosquitto: Mosquitto) -> None:
    with listening(mosquitto.port) as early:
        outputs = FanOut([runner(at(mosquitto.port))])
        outputs.decided(replace(decision(1.0), values={"box": [0.25, 0.5]}))
        outputs.started(event(1.0))
        outputs.ended(event(1.0, 2.5))
        until(lambda: bool(early.on("hall/camera/tiny/event/end")) and len(early.on("hall/camera/tiny/state")) > 0)
        (started,), (ended,) = early.on("hall/camera/tiny/event/start"), early.on("hall/camera/tiny/event/end")
        assert started["event_type"] == started["event"] == "wave"
        assert (started["phase"], ended["phase"]) == ("start", "end")
        assert started["id"] == ended["id"] == "run-tiny-wave-1.000"
        assert ended["end_s"] == 2.5
        with listening(mosquitto.port) as late:
            until(
                lambda: (
                    {"hall/camera/status", "hall/camera/telemetry", "hall/camera/tiny/state"}
                    <= {topic for topic, _, _ in late.heard}
                )
            )
            assert late.on("hall/camera/status") == ["online"]
            assert late.on("hall/camera/telemetry")[0] == {"camera_fps": 29.5, "dropped": 3}
            assert late.on("hall/camera/tiny/state")[0]["scores"]["wave"] == 0.75
            assert late.on("hall/camera/tiny/state")[0]["values"] == {"box": [0.25, 0.5]}
            assert late.on("hall/camera/tiny/event/start") == []
        outputs.close()
        until(lambda: early.on("hall/camera/status")[-1:] == ["offline"])


@needs_mosquitto
def test_state_says_which_event_goes_on_and_that_it_is_over(mosquitto: Mosquitto) -> None:
    with listening(mosquitto.port) as listener:
        outputs = FanOut([runner(at(mosquitto.port))])
        for message in (
            lambda: outputs.decided(decision(1.0)),
            lambda: outputs.started(event(1.0)),
            lambda: outputs.ended(event(1.0, ended=True)),
        ):
            message()
        until(lambda: [state["ongoing"] for state in listener.on("hall/camera/tiny/state")][-2:] == ["wave", None])
        outputs.close()


@needs_mosquitto
def test_events_survive_the_brokers_absence_and_come_later_in_order_and_once(mosquitto: Mosquitto) -> None:
    told: list[tuple[str, float]] = []
    with listening(mosquitto.port, name="keeper") as keeper:
        outputs = FanOut([runner(at(mosquitto.port))])
        until(lambda: keeper.on("hall/camera/status") == ["online"])
        for absence in (range(1, 4), range(4, 7)):
            mosquitto.stop()
            for at_s in absence:
                outputs.started(event(float(at_s)))
                outputs.decided(decision(float(at_s)))
                outputs.ended(event(float(at_s), ended=True))
                told += [("start", float(at_s)), ("end", float(at_s))]
            until(lambda: outputs.reports()[0].problem is not None)
            mosquitto.start()
            until(lambda: len(heard(keeper)) >= len(told))  # noqa: B023  # called before the next absence
        assert heard(keeper) == told
        outputs.close()
        assert outputs.reports()[0].problem is None
        assert outputs.reports()[0].delivered["event"] == len(told)


@needs_mosquitto
def test_a_packet_never_waits_for_the_one_before_it_to_be_confirmed(mosquitto: Mosquitto) -> None:
    """The kernel would delay it by 40 ms after each state, too slow to catch up with 27 events a second."""
    sink = MqttPublisher(at(mosquitto.port), models=MODELS, formatter=EventFormatter(live=True))
    for _ in range(2):
        sink.tick()
        assert sink._client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        sink.abort()
        until(lambda: sink._client.loop(0.01) != 0)  # and so it is after the connection was lost
    sink.close()


@needs_mosquitto
def test_a_burst_of_events_before_and_after_an_outage_is_caught_up_with(mosquitto: Mosquitto) -> None:
    count = 300
    with listening(mosquitto.port, name="keeper") as keeper:
        outputs = FanOut([runner(at(mosquitto.port))])
        until(lambda: keeper.on("hall/camera/status") == ["online"])
        for half in (range(count // 2), range(count // 2, count)):
            for number in half:
                outputs.started(event(float(number)))
                outputs.decided(decision(float(number)))
                outputs.ended(event(float(number), ended=True))
            if half.start == 0:
                mosquitto.stop()
                until(lambda: outputs.reports()[0].problem is not None)
                mosquitto.start()
        until(lambda: len(set(heard(keeper))) == 2 * count)
        # What the broker had passed on but not yet acknowledged when it died comes once more (QoS 1), with the same id.
        first_heard = list(dict.fromkeys(heard(keeper)))
        assert first_heard == [(phase, float(number)) for number in range(count) for phase in ("start", "end")]
        outputs.close()


def burst(link: Link, count: int) -> tuple[FanOut, list[tuple[str, float]]]:
    """Start an output that has this many events waiting before it begins, and say what it will tell."""
    made = runner(at(link.port))
    for number in range(count):
        made.started(event(float(number)))
        made.ended(event(float(number), ended=True))
    return FanOut([made]), [(phase, float(number)) for number in range(count) for phase in ("start", "end")]


@needs_mosquitto
def test_a_bounded_number_of_events_is_on_its_way_and_none_is_delivered_before_the_brokers_word(
    mosquitto: Mosquitto,
) -> None:
    with linked(mosquitto.port) as link, listening(mosquitto.port, name="keeper") as keeper:
        link.hold = True
        outputs, told = burst(link, 20)
        until(lambda: link.unacknowledged == IN_FLIGHT)
        until(lambda: len(heard(keeper)) == IN_FLIGHT)
        assert outputs.reports()[0].delivered["event"] == 0
        link.release()
        until(lambda: outputs.reports()[0].delivered["event"] == len(told))
        until(lambda: len(heard(keeper)) >= len(told))
        assert link.most == IN_FLIGHT
        assert heard(keeper) == told
        outputs.close()


@needs_mosquitto
@pytest.mark.parametrize("lost", ["acknowledgements", "events"])
def test_a_link_that_is_killed_with_events_on_their_way_loses_none_and_tells_none_twice_but_those(
    mosquitto: Mosquitto, lost: str
) -> None:
    with linked(mosquitto.port) as link, listening(mosquitto.port, name="keeper") as keeper:
        link.hold, link.swallow = lost == "acknowledgements", lost == "events"
        outputs, told = burst(link, 20)
        until(lambda: link.unacknowledged == IN_FLIGHT)
        until(lambda: len(heard(keeper)) == (IN_FLIGHT if link.hold else 0))
        link.cut()
        link.release()
        until(lambda: outputs.reports()[0].delivered["event"] == len(told))
        until(lambda: ("end", 19.0) in heard(keeper))
        # An event that the broker had, and whose acknowledgement was lost, is told again with its
        # `id`; no other is, and all are in order.
        again = told[:IN_FLIGHT] if lost == "acknowledgements" else []
        assert heard(keeper) == again + told
        assert link.most == IN_FLIGHT
        outputs.close()
        assert outputs.reports()[0].delivered["event"] == len(told)


@needs_mosquitto
def test_a_killed_process_leaves_its_last_will(mosquitto: Mosquitto) -> None:
    sink = MqttPublisher(at(mosquitto.port), models=MODELS, formatter=EventFormatter(live=True))
    with listening(mosquitto.port) as listener:
        sink.tick()
        until(lambda: listener.on("hall/camera/status") == ["online"])
        sink.abort()  # the socket closes without a goodbye, as when a process is killed
        until(lambda: listener.on("hall/camera/status") == ["online", "offline"])


@needs_mosquitto
def test_a_log_in_from_the_environment_is_used_and_a_wrong_one_is_a_clear_problem(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "pi", "secret-word"], check=True, capture_output=True)
    passwords.chmod(0o644)
    guarded = Mosquitto(tmp_path, settings=f"allow_anonymous false\npassword_file {passwords}")
    guarded.start()
    url = f"mqtt://127.0.0.1:{guarded.port}/hall/camera"
    with listening(guarded.port, username="pi", password="secret-word") as listener:
        right = FanOut([runner(broker(url, {"EDGEVID_MQTT_USERNAME": "pi", "EDGEVID_MQTT_PASSWORD": "secret-word"}))])
        until(lambda: listener.on("hall/camera/status") == ["online"])
        right.close()
        wrong = FanOut([runner(broker(url.replace("//", "//pi:wrong-word@"), {}))])
        until(lambda: wrong.reports()[0].problem is not None)
        problem = wrong.reports()[0].problem
        assert "ot authori" in problem
        assert "word@" not in problem
        assert "wrong-word" not in problem
        wrong.close()
    guarded.stop()


@needs_mosquitto
def test_home_assistant_finds_the_device_with_its_entities(mosquitto: Mosquitto) -> None:
    outputs = FanOut([runner(at(mosquitto.port))])
    with listening(mosquitto.port) as late:
        until(lambda: any(topic.startswith("homeassistant/event/") for topic, _, _ in late.heard))
        until(lambda: late.on("hall/camera/status") == ["online"])
        configs = {topic: payload for topic, payload, _ in late.heard if topic.startswith("homeassistant/")}
    outputs.close()
    assert set(configs) == {
        f"homeassistant/{component}/hall_camera/{name}/config"
        for component, name in (
            ("event", "tiny_event"),
            ("binary_sensor", "tiny_active"),
            ("sensor", "tiny_label"),
            ("sensor", "tiny_score"),
            ("sensor", "camera_fps"),
            ("sensor", "dropped"),
        )
    }
    found = configs["homeassistant/event/hall_camera/tiny_event/config"]
    assert found["event_types"] == ["wave", "swipe"]
    assert found["state_topic"] == "hall/camera/tiny/event/start"
    assert all(config["availability_topic"] == "hall/camera/status" for config in configs.values())
    assert len({config["unique_id"] for config in configs.values()}) == len(configs)
    assert {tuple(config["device"]["identifiers"]) for config in configs.values()} == {("hall_camera",)}


@needs_mosquitto
def test_discovery_can_be_switched_off(mosquitto: Mosquitto) -> None:
    outputs = FanOut([runner(at(mosquitto.port, discovery=None))])
    with listening(mosquitto.port) as late:
        until(lambda: late.on("hall/camera/status") == ["online"])
        assert not any(topic.startswith("homeassistant/") for topic, _, _ in late.heard)
    outputs.close()


# paho-mqtt 2.1 and 2.2 leave the socket of a failed handshake to the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@needs_mosquitto
def test_an_encrypted_connection_checks_the_certificate(tmp_path: Path) -> None:
    made = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "
        "key.pem -out cert.pem -subj /CN=localhost"
    )
    subprocess.run(
        [*made.split(), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (tmp_path / "key.pem").chmod(0o644)
    tmp_path.chmod(0o755)
    safe = Mosquitto(
        tmp_path, settings=f"allow_anonymous true\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    )
    safe.start()
    url = f"mqtts://127.0.0.1:{safe.port}/hall/camera"
    trusting = FanOut([runner(broker(f"{url}?ca={tmp_path}/cert.pem", {}))])
    trusting.started(event(1.0))
    until(lambda: trusting.reports()[0].delivered["event"] == 1)
    trusting.close()
    wary = FanOut([runner(broker(url, {}))])
    until(lambda: "certificate" in (wary.reports()[0].problem or "").lower())
    wary.close()
    safe.stop()


def test_an_event_that_the_broker_takes_and_does_not_acknowledge_is_not_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "_ACKNOWLEDGE_S", 0.2)
    done = threading.Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(0.1)
            connection.sendall(b"\x20\x02\x00\x00")  # CONNACK, accepted; and from then on it only listens
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    connection.recv(65536)

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        thread = threading.Thread(target=serve, args=(deaf,), daemon=True)
        thread.start()
        outputs = FanOut([runner(at(deaf.getsockname()[1]))], close_s=0.3)
        outputs.started(event(1.0))
        until(lambda: "acknowledge" in (outputs.reports()[0].problem or ""))
        assert outputs.reports()[0].delivered["event"] == 0
        outputs.close()
        done.set()
        thread.join()


def test_a_broker_that_never_answers_is_given_up_within_the_time_allowed() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        outputs = FanOut([runner(at(silent.getsockname()[1]))], close_s=0.3)
        outputs.started(event(1.0))
        time.sleep(0.2)
        began_s = time.monotonic()
        outputs.close()
        assert time.monotonic() - began_s < 5


def test_certificates_that_are_none_are_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="PEM"):
        publisher.check(broker(f"mqtts://localhost:{free_port()}/x?ca={tmp_path / 'ca.pem'}", {}))


def test_without_paho_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt.client", None)
    with pytest.raises(MissingDependency, match=r"edgevid\[mqtt\]"):
        publisher.check(broker("mqtt://localhost", {}))


def test_home_assistant_is_told_of_the_unknown_label_and_of_entity_ids_in_the_old_and_the_new_form() -> None:
    models = [PublishedModel("tiny", ("none", "Wave"), ("Wave",)), PublishedModel("own", ("unknown", "up"), ("up",))]
    found = messages("Hall/camera-2", "homeassistant", models)
    assert found["homeassistant/sensor/Hall_camera-2/tiny_label/config"]["options"] == ["none", "Wave", "unknown"]
    assert found["homeassistant/sensor/Hall_camera-2/own_label/config"]["options"] == ["unknown", "up"]
    for topic, entity in found.items():
        _, component, node, name, _ = topic.split("/")
        assert entity["object_id"] == entity["unique_id"] == f"{node}_{name}"
        assert entity["default_entity_id"] == f"{component}.hall_camera_2_{name}"
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", entity["default_entity_id"])
