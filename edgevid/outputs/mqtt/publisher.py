"""Events, state and telemetry to an MQTT broker, through paho-mqtt: this is the only file that imports it.

Topics, under the prefix (`docs/outputs.md` has the payloads):

    status               online | offline    retained; offline is also the last will
    telemetry            how the device is    retained, every 10 s
    MODEL/state          what is seen now     retained, when it changes and once a second
    MODEL/event/start    an event began       once, acknowledged by the broker
    MODEL/event/end      it ended             once, acknowledged by the broker

Everything happens in one thread, the runner's: it connects, publishes, and waits for the broker's word that it has an event. Up to `IN_FLIGHT`
are on their way at once, or each would wait for the way there and back. Where the broker is away it raises `OutputError`, and the runner keeps
the events of which there was no word, in order, until it is back.
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
from edgevid.outputs.delivery.backlog import EventMessage
from edgevid.outputs.mqtt import homeassistant
from edgevid.outputs.payload import EventFormatter, Phase

if TYPE_CHECKING:
    from paho.mqtt.client import Client

STATE_S, TELEMETRY_S = 1.0, 10.0
# Starts and ends without the broker's word. What a killed link makes come twice is no more than this.
IN_FLIGHT = 16
# Together less than what a runner takes for a hang.
_CONNECT_S, _ACKNOWLEDGE_S, _GOODBYE_S = 3.0, 5.0, 1.0
_KEEPALIVE_S = 30
_STEP_S = 0.05


def check(broker: Broker) -> None:
    """Find out before the run whether there is what is needed; the broker itself may be away.

    Args:
        broker: Where to publish.

    Raises:
        MissingDependency: paho-mqtt is not installed.
        UsageError: The file of certificates holds none.
    """
    _paho()
    if broker.ca is not None:
        _trust(broker.ca)


class MqttPublisher:
    """A sink that publishes; see the module.

    Args:
        broker: Where to.
        models: For Home Assistant, and to name topics.
        teller: Puts events into words.
        look: Gives the telemetry.
        connect_s: Longest time for connecting.
    """

    in_flight = IN_FLIGHT

    def __init__(
        self,
        broker: Broker,
        *,
        models: Sequence[homeassistant.PublishedModel],
        teller: EventFormatter,
        look: Callable[[], Mapping[str, Any]] = dict,
        connect_s: float = _CONNECT_S,
    ) -> None:
        self._broker = broker
        self._models = tuple(models)
        self._teller = teller
        self._look = look
        self._connect_s = connect_s
        self._topics = {
            name: f"{broker.prefix}/{slug}" for name, slug in payload.slugs(tuple(each.name for each in models)).items()
        }
        self._states: dict[str, dict[str, Any]] = {}
        self._ongoing: dict[str, str | None] = {}
        self._state_due_s = dict.fromkeys(self._topics, 0.0)
        self._telemetry_due_s = 0.0
        self._sent: dict[str, int] = {}
        self._acknowledged: set[int] = set()
        self._answer: str | None = None
        self._client = self._make_client()

    def decided(self, decision: Decision) -> None:
        """Keep the newest decision as the state, and publish it where it is due.

        Args:
            decision: It.
        """
        before = self._states.get(decision.model, {}).get("label")
        self._states[decision.model] = payload.decision(decision)
        if before != decision.label:
            self._state_due_s[decision.model] = min(self._state_due_s[decision.model], monotonic() + STATE_S / 5)
        self._publish_states()

    def started(self, event: Event) -> None:
        """Publish the start of an event and wait until the broker has it.

        Args:
            event: It.

        Raises:
            OutputError: The broker is away.
        """
        self.deliver([EventMessage(event, ended=False)], _nothing)

    def ended(self, event: Event) -> None:
        """Publish the end of an event and wait until the broker has it.

        Args:
            event: It.

        Raises:
            OutputError: The broker is away.
        """
        self.deliver([EventMessage(event, ended=True)], _nothing)

    def deliver(self, events: Sequence[EventMessage], done: Callable[[EventMessage], None]) -> None:
        """Publish starts and ends one behind the other, then wait until the broker has each.

        Args:
            events: They, in order.
            done: Called with each that the broker has.

        Raises:
            OutputError: The broker is away.
        """
        for each, name in [(each, self._send(each.event, "end" if each.ended else "start")) for each in events]:
            self._wait_for(name)
            done(each)

    def tick(self) -> None:
        """Keep the connection alive; publish state and telemetry where they are due. Without a broker, try to reach it again."""
        self._connect()
        self._client.loop(0.001)
        if monotonic() >= self._telemetry_due_s:
            self._telemetry_due_s = monotonic() + TELEMETRY_S
            self._publish(f"{self._broker.prefix}/telemetry", dict(self._look()))
        self._publish_states()

    def abort(self) -> None:
        """End the connection, so that whoever waits for it returns."""
        connection = self._client.socket()
        if isinstance(connection, socket.socket):  # paho could do without one, through WebSockets
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye: `offline`, retained. Does not connect for that: the last will has said it."""
        if not self._client.is_connected():
            return
        last = self._client.publish(f"{self._broker.prefix}/status", "offline", qos=1, retain=True)
        self._pump(last.is_published, _GOODBYE_S)
        self._client.disconnect()
        self._client.loop(0.001)

    def _send(self, event: Event, phase: Phase) -> str:
        """Publish, and the state behind it. paho keeps what it has no word of and sends it again itself, in order, so it is not published twice."""
        if not self._client.is_connected():
            raise OutputError(
                expected=f"a connection to {self._broker}", found="none any more", hint="Events wait until it is back."
            )
        told, topic = self._teller.event(event, phase), f"{self._topics[event.model]}/event/{phase}"
        name = f"{topic} {told['id']}"
        if name not in self._sent:
            self._sent[name] = self._client.publish(topic, _json({"event_type": event.label, **told}), qos=1).mid
        self._ongoing[event.model] = event.label if phase == "start" else None
        self._state_due_s[event.model] = 0.0
        self._publish_states()
        return name

    def _wait_for(self, name: str) -> None:
        """Wait for the broker's word on an event; that of an earlier one comes first (MQTT 3.1.1, section 4.6)."""
        number = self._sent[name]
        if not self._pump(lambda: number in self._acknowledged, _ACKNOWLEDGE_S):
            raise OutputError(
                expected=f"{self._broker} to acknowledge an event", found="no answer", hint="Events wait until it does."
            )
        self._acknowledged.discard(number)
        del self._sent[name]

    def _publish_states(self) -> None:
        """Publish the state of each model for which it is due; dropped where the broker is away, for it will be old by then."""
        for model, state in self._states.items():
            if monotonic() >= self._state_due_s[model] and self._client.is_connected():
                self._state_due_s[model] = monotonic() + STATE_S
                self._publish(f"{self._topics[model]}/state", {**state, "ongoing": self._ongoing.get(model)})

    def _publish(self, topic: str, told: Mapping[str, Any] | str) -> None:
        """Publish retained, without waiting for the broker's word."""
        self._client.publish(topic, told if isinstance(told, str) else _json(told), retain=True)

    def _connect(self) -> None:
        """Connect if that is needed, and introduce the device.

        Raises:
            OutputError: The broker cannot be reached or refuses.
        """
        if self._client.is_connected():
            return
        self._answer = None
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=_KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise OutputError(
                expected=f"a broker at {self._broker}", found=f"{error}", hint="Events wait until it is there."
            ) from error
        if (
            not self._pump(lambda: self._client.is_connected() or self._answer is not None, self._connect_s)
            or self._answer is not None
        ):
            raise OutputError(
                expected=f"{self._broker} to accept a connection",
                found=f"{self._answer or 'no answer'}",
                hint="Events wait until it does.",
            )
        self._introduce()

    def _introduce(self) -> None:
        if self._broker.discovery is not None:
            facts = tuple(self._look())
            for topic, told in homeassistant.messages(
                self._broker.prefix, self._broker.discovery, self._models, facts=facts
            ).items():
                self._publish(topic, told)
        self._publish(f"{self._broker.prefix}/status", "online")
        self._telemetry_due_s = 0.0
        self._state_due_s = dict.fromkeys(self._topics, 0.0)

    def _pump(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Run the client's loop until something is done or the connection is lost."""
        end_s = monotonic() + limit_s
        while not done():
            if monotonic() > end_s or self._client.loop(_STEP_S) != 0:
                return done()
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
        # One more, so that the goodbye waits for nobody's word.
        client.max_inflight_messages_set(IN_FLIGHT + 1)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_socket_open = _send_at_once
        return client

    def _on_connect(self, _client: object, _userdata: object, _flags: object, reason: Any, _properties: object) -> None:
        self._answer = str(reason) if reason.is_failure else None

    def _on_publish(
        self, _client: object, _userdata: object, number: int, _reason: object, _properties: object
    ) -> None:
        # Also called for what needs no word, when it has left.
        if number in self._sent.values():
            self._acknowledged.add(number)


def _nothing(_event: EventMessage) -> None:
    """Nobody waits for the word on a single event: there is none before `told` returns."""


def _send_at_once(_client: object, _userdata: object, connection: Any) -> None:
    """Let no packet wait until the broker's machine has confirmed the one before, which it does after up to 40 ms: 25 events a second were the most.

    A state goes out behind each event, so the next event would always wait (Nagle's algorithm and delayed acknowledgements; mosquitto#433).
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, allow_nan=False, ensure_ascii=False)


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
