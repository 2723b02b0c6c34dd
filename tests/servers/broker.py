"""A real mosquitto that a test starts, stops and starts again, and a client that writes down what it hears."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Debian puts it where only root looks.
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="needs a broker: apt-get install mosquitto")


def free_port() -> int:
    """A TCP port of this machine that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker on one port; what it keeps for clients that are away survives its restart.

    Args:
        folder: For its configuration and log.
        settings: Lines of configuration, in place of open access.
    """

    def __init__(self, folder: Path, *, settings: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"user root\nlog_dest none\n{settings}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end_s = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "mosquitto ended"
            assert time.monotonic() < end_s, "mosquitto does not listen"
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


class Listener:
    """A client that writes down every message, and knows which were retained.

    Attributes:
        heard: (topic, payload, whether it was retained before this client came), in order.

    Args:
        port: The broker's.
        username: To log in.
        password: To log in.
        name: The broker keeps for a client with a name what comes while it is away.
    """

    def __init__(self, port: int, *, username: str | None = None, password: str | None = None, name: str = "") -> None:
        import paho.mqtt.client as paho

        self.heard: list[tuple[str, Any, bool]] = []
        self.ready = False
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, clean_session=not name)
        self._client.reconnect_delay_set(1, 1)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_rest: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_rest: setattr(self, "ready", True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        end_s = time.monotonic() + 20
        while not self.ready:
            assert time.monotonic() < end_s, "cannot subscribe"
            time.sleep(0.01)

    def _on_message(self, _client: object, _userdata: object, message: Any) -> None:
        if message.dup:  # the broker was stopped before it had this client's thanks
            return
        text = message.payload.decode()
        self.heard.append((message.topic, json.loads(text) if text[:1] in "{[" else text, bool(message.retain)))

    def on(self, topic: str) -> list[Any]:
        """What was heard on a topic."""
        return [payload for heard, payload, _ in self.heard if heard == topic]

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(port: int, **login: str) -> Iterator[Listener]:
    """A listener for the length of a block."""
    listener = Listener(port, **login)
    try:
        yield listener
    finally:
        listener.close()
