"""Events, state and telemetry published to an MQTT broker.

Topics, under the prefix (`docs/reference/outputs.md` lists the payloads):

    status               online | offline    retained; offline is also the last will
    telemetry            rates, age, memory  retained, every 10 s
    MODEL/state          current decision    retained, when it changes and once a second
    MODEL/event/start    start of an event   once, acknowledged by the broker
    MODEL/event/end      end of an event     once, acknowledged by the broker

Everything runs in the runner's thread: it connects, publishes, and waits for acknowledgements.
Up to `IN_FLIGHT` events are published before the first acknowledgement, as a wait for each would
cost a round trip. If the broker is away, the sink raises `OutputError`, and the runner keeps the
events that were not acknowledged, in order. Only this file imports paho-mqtt.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from edgevid.errors import MissingDependency, OutputError, UsageError
from edgevid.events.decide import Decision, Event
from edgevid.outputs import payload
from edgevid.outputs.addresses import Broker
from edgevid.outputs.credentials import check_login, warn_if_readable
from edgevid.outputs.delivery.backlog import EventMessage
from edgevid.outputs.delivery.sink import Sink
from edgevid.outputs.mqtt import homeassistant
from edgevid.outputs.payload import EventFormatter

if TYPE_CHECKING:
    from paho.mqtt.client import Client

STATE_S, TELEMETRY_S = 1.0, 10.0
# Starts and ends without acknowledgement: the most that a broken connection delivers twice.
IN_FLIGHT = 16
# Together less than the runner's STUCK_S, so that a slow broker does not count as a hang.
_CONNECT_S, _ACKNOWLEDGE_S, _GOODBYE_S = 3.0, 5.0, 1.0
_KEEPALIVE_S = 30
# One turn of paho's loop while waiting, and one without waiting.
_STEP_S, _NO_WAIT_S = 0.05, 0.001


def check(broker: Broker) -> None:
    """Check library, log-in and certificates before the run. The broker itself may be away.

    Raises:
        MissingDependency: paho-mqtt is not installed.
        UsageError: User or password has a control character, or the certificate file no certificate.
    """
    _paho()
    check_login(broker.username, broker.password, purpose="--mqtt")
    if broker.password and not broker.tls:
        warn_if_readable(
            output="mqtt", host=broker.host, address=f"mqtt://{broker.host}:{broker.port}", encrypted="mqtts"
        )
    if broker.ca is not None:
        _trust(broker.ca)


class MqttPublisher(Sink):
    """A sink that publishes to a broker; see the module.

    Args:
        broker: The broker and the topics to use there.
        models: The models that run, for topics and Home Assistant.
        formatter: Formats events.
        telemetry: Returns the fields of the telemetry.
        connect_s: Longest time for a connection.
    """

    in_flight = IN_FLIGHT

    def __init__(
        self,
        broker: Broker,
        *,
        models: Sequence[homeassistant.PublishedModel],
        formatter: EventFormatter,
        telemetry: Callable[[], Mapping[str, Any]] = dict,
        connect_s: float = _CONNECT_S,
    ) -> None:
        self._broker = broker
        self._models = tuple(models)
        self._formatter = formatter
        self._telemetry = telemetry
        self._connect_s = connect_s
        slugs = payload.slugs(tuple(each.name for each in models))
        self._topics = {name: f"{broker.prefix}/{slug}" for name, slug in slugs.items()}
        self._states: dict[str, dict[str, Any]] = {}
        self._ongoing: dict[str, str | None] = {}
        self._state_due_s = dict.fromkeys(self._topics, 0.0)
        self._telemetry_due_s = 0.0
        # Events that were published and not acknowledged, by topic and id: paho's message number.
        self._sent: dict[str, int] = {}
        self._acknowledged: set[int] = set()
        self._connect_error: str | None = None
        self._client = self._make_client()

    def decided(self, decision: Decision) -> None:
        """Keep the decision as the model's state, and publish it if it is due."""
        before = self._states.get(decision.model, {}).get("label")
        self._states[decision.model] = payload.decision(decision)
        if before != decision.label:
            # Soon, but not at once: a label that flickers must not flood the broker.
            self._state_due_s[decision.model] = min(self._state_due_s[decision.model], monotonic() + STATE_S / 5)
        self._publish_states()

    def deliver(self, events: Sequence[EventMessage], acknowledge: Callable[[EventMessage], None]) -> None:
        """Publish starts and ends in order, then wait for the broker to acknowledge each.

        Args:
            events: At most `in_flight`, in order.
            acknowledge: Called with each that the broker acknowledged.

        Raises:
            OutputError: The broker is away.
        """
        sent = [(message, self._send(message.event)) for message in events]
        for message, name in sent:
            self._wait_for(name)
            acknowledge(message)

    def tick(self) -> None:
        """Keep the connection alive or connect again; publish state and telemetry if they are due.

        Raises:
            OutputError: The broker is away.
        """
        self._connect()
        self._client.loop(_NO_WAIT_S)
        if monotonic() >= self._telemetry_due_s:
            self._telemetry_due_s = monotonic() + TELEMETRY_S
            self._publish(f"{self._broker.prefix}/telemetry", dict(self._telemetry()))
        self._publish_states()

    def abort(self) -> None:
        """Close the connection, so that a call that waits for it returns."""
        connection = self._client.socket()
        if isinstance(connection, socket.socket):  # paho may have another type, for WebSockets
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Publish `offline`, retained, and disconnect.

        Without a connection there is nothing to do: the broker published the last will.
        """
        if not self._client.is_connected():
            return
        last = self._client.publish(f"{self._broker.prefix}/status", "offline", qos=1, retain=True)
        self._pump(last.is_published, _GOODBYE_S)
        self._client.disconnect()
        self._client.loop(_NO_WAIT_S)

    def _send(self, event: Event) -> str:
        """Publish an event, and the model's state after it; return the event's key in `_sent`."""
        if not self._client.is_connected():
            raise OutputError(
                expected=f"a connection to {self._broker}",
                found="none",
                hint="Check that the broker is running; events are kept until it is back.",
            )
        fields = self._formatter.event(event)
        topic = f"{self._topics[event.model]}/event/{fields['phase']}"
        name = f"{topic} {fields['id']}"
        # After a reconnect paho itself sends messages without acknowledgement again, in order.
        # A retry by the runner must not publish them once more.
        if name not in self._sent:
            self._sent[name] = self._client.publish(topic, _json({"event_type": event.label, **fields}), qos=1).mid
        self._ongoing[event.model] = None if event.ended else event.label
        self._state_due_s[event.model] = 0.0
        self._publish_states()
        return name

    def _wait_for(self, name: str) -> None:
        """Wait for an event's acknowledgement. They come in order [MQTT 3.1.1, section 4.6]."""
        number = self._sent[name]
        if not self._pump(lambda: number in self._acknowledged, _ACKNOWLEDGE_S):
            raise OutputError(
                expected=f"{self._broker} to acknowledge an event",
                found="no answer",
                hint="Check the broker; events are kept until it acknowledges them.",
            )
        self._acknowledged.discard(number)
        del self._sent[name]

    def _publish_states(self) -> None:
        """Publish each state that is due, unless disconnected: it is old by the next connection."""
        for model, state in self._states.items():
            if monotonic() >= self._state_due_s[model] and self._client.is_connected():
                self._state_due_s[model] = monotonic() + STATE_S
                self._publish(f"{self._topics[model]}/state", {**state, "ongoing": self._ongoing.get(model)})

    def _publish(self, topic: str, content: Mapping[str, Any] | str) -> None:
        """Publish retained, without acknowledgement."""
        self._client.publish(topic, content if isinstance(content, str) else _json(content), retain=True)

    def _connect(self) -> None:
        """Connect, unless connected, and introduce the device.

        Raises:
            OutputError: The broker cannot be reached or rejects the connection.
        """
        if self._client.is_connected():
            return
        self._connect_error = None
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=_KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise OutputError(
                expected=f"a broker at {self._broker}",
                found=str(error),
                hint="Check that the broker is running; events are kept until it is there.",
            ) from error
        is_answered = self._pump(
            lambda: self._client.is_connected() or self._connect_error is not None, self._connect_s
        )
        if not is_answered or self._connect_error is not None:
            raise OutputError(
                expected=f"{self._broker} to accept a connection",
                found=self._connect_error or "no answer",
                hint="Check the broker and the log-in; events are kept until it does.",
            )
        self._introduce()

    def _introduce(self) -> None:
        """Publish discovery and status, and make telemetry and states due."""
        if self._broker.discovery is not None:
            facts = tuple(self._telemetry())
            announced = homeassistant.messages(self._broker.prefix, self._broker.discovery, self._models, facts=facts)
            for topic, config in announced.items():
                self._publish(topic, config)
        self._publish(f"{self._broker.prefix}/status", "online")
        self._telemetry_due_s = 0.0
        self._state_due_s = dict.fromkeys(self._topics, 0.0)

    def _pump(self, is_done: Callable[[], bool], limit_s: float) -> bool:
        """Run paho's loop until the condition holds, the connection is lost, or time is up."""
        end_s = monotonic() + limit_s
        while not is_done():
            if monotonic() > end_s or self._client.loop(_STEP_S) != 0:
                return is_done()
        return True

    def _make_client(self) -> Client:
        paho = _paho()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"edgevid-{secrets.token_hex(4)}")
        client.connect_timeout = self._connect_s
        client.will_set(f"{self._broker.prefix}/status", "offline", qos=1, retain=True)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls:
            client.tls_set_context(_trust(self._broker.ca))
        # One more than events, so that the goodbye need not wait for their acknowledgements.
        client.max_inflight_messages_set(IN_FLIGHT + 1)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_socket_open = _disable_nagle
        return client

    def _on_connect(self, _client: object, _userdata: object, _flags: object, reason: Any, _properties: object) -> None:
        self._connect_error = str(reason) if reason.is_failure else None

    def _on_publish(
        self, _client: object, _userdata: object, number: int, _reason: object, _properties: object
    ) -> None:
        # paho also calls this for messages without acknowledgement, when they have left.
        if number in self._sent.values():
            self._acknowledged.add(number)


def _disable_nagle(_client: object, _userdata: object, connection: Any) -> None:
    """Send each packet at once.

    A state follows each event. With Nagle's algorithm the next event would wait for the delayed
    acknowledgement of the state's packet [40 ms, thus at most 25 events a second; mosquitto#433].
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, allow_nan=False, ensure_ascii=False)


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise UsageError(expected="certificates in PEM form", found=f"{ca}: {error.reason}", path=ca) from error


def _paho() -> Any:
    try:
        import paho.mqtt.client as paho
    except ImportError as error:
        raise MissingDependency(
            expected="paho-mqtt for --mqtt", found="none", hint="Run: pip install 'edgevid[mqtt]'."
        ) from error
    return paho
