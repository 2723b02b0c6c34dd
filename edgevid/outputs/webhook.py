"""Events posted as JSON to a URL, one request for the start of each and one for its end.

The standard library does it: one request at a time, a few an hour, needs no pool of connections, and a library for that would add more memory
than the rest of a run's way out. What it lacks is a limit for a whole request: a server that sends a byte every few seconds satisfies every
time limit of a socket. The runner finds that and calls `abort`, which ends the connection.

Answers: 2xx is delivered. 408, 425, 429, 502, 503, 504 and every failure of the network mean "away": the event waits, for as long as it takes.
Other 5xx are tried `_TRIES` times, for a server may fail on this one event for ever; every other answer is a refusal. Redirects are not followed.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from edgevid import __version__
from edgevid.errors import OutputError, OutputRefused
from edgevid.events.decide import Event
from edgevid.outputs.addresses import without_secrets
from edgevid.outputs.delivery.sink import SinkBase
from edgevid.outputs.output import QuietOutput
from edgevid.outputs.payload import EventFormatter, Phase

TIMEOUT_S = 5.0
_TRIES = 8
_AWAY = (408, 425, 429, 502, 503, 504)
_ANSWER_BYTES = 4096


class WebhookSender(SinkBase, QuietOutput):
    """A sink that posts; see the module.

    Args:
        url: `http://` or `https://`; a user and password in it become basic authentication.
        teller: Puts events into words.
        timeout_s: For connecting, and for each wait for the server.
        environment: `EDGEVID_WEBHOOK_TOKEN` is sent as a bearer token.
    """

    def __init__(
        self,
        url: str,
        *,
        teller: EventFormatter,
        timeout_s: float = TIMEOUT_S,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._shown = without_secrets(url)
        self._host, self._port = parts.hostname, parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = _headers(parts.username, parts.password, environment)
        self._teller = teller
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._failures: tuple[str, int] = ("", 0)

    def started(self, event: Event) -> None:
        """Post the start of an event.

        Args:
            event: It.

        Raises:
            OutputError: The server is away.
            OutputRefused: It does not want this.
        """
        self._post(event, "start")

    def ended(self, event: Event) -> None:
        """Post the end of an event.

        Args:
            event: It.

        Raises:
            OutputError: The server is away.
            OutputRefused: It does not want this.
        """
        self._post(event, "end")

    def abort(self) -> None:
        """End the connection, so that whoever waits for it returns."""
        hung = self._socket
        if hung is not None:
            with contextlib.suppress(OSError):
                hung.shutdown(socket.SHUT_RDWR)

    def _post(self, event: Event, phase: Phase) -> None:
        told = self._teller.event(event, phase)
        status = self._request(json.dumps(told, allow_nan=False).encode())
        if 200 <= status < 300:
            self._failures = ("", 0)
        elif status in _AWAY:
            raise OutputError(
                expected=f"{self._shown} to take an event", found=f"status {status}", hint="Events wait until it does."
            )
        elif status >= 500:
            self._failed(f"{told['id']} {phase}", status)
        else:
            raise OutputRefused(
                expected=f"{self._shown} to take an event", found=f"status {status}", hint="It was dropped."
            )

    def _failed(self, name: str, status: int) -> None:
        count = self._failures[1] + 1 if self._failures[0] == name else 1
        self._failures = (name, count)
        if count >= _TRIES:
            raise OutputRefused(
                expected=f"{self._shown} to take an event",
                found=f"status {status} {count} times",
                hint="It was dropped.",
            )
        raise OutputError(
            expected=f"{self._shown} to take an event", found=f"status {status}", hint=f"It is tried {_TRIES} times."
        )

    def _request(self, body: bytes) -> int:
        """Post, and give the status; what the server says beyond that is not read for long."""
        connection = self._connection()
        try:
            connection.connect()
            self._socket = connection.sock  # the connection forgets it as soon as the answer begins
            connection.request("POST", self._target, body, self._headers)
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
            return answer.status
        except (OSError, http.client.HTTPException) as error:
            raise OutputError(
                expected=f"{self._shown} to answer",
                found=f"{type(error).__name__}: {error}",
                hint="Events wait until it does.",
            ) from error
        finally:
            connection.close()
            self._socket = None

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)


def _headers(username: str | None, password: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": f"edgevid/{__version__}", "Connection": "close"}
    if username is not None:
        pair = f"{unquote(username)}:{unquote(password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif token := environment.get("EDGEVID_WEBHOOK_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    return headers
