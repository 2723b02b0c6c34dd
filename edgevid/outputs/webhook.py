"""A webhook: events posted as JSON, one request for the start of each and one for its end.

The standard library's HTTP client is enough for a few requests an hour, and saves the memory of a
client library. It has no limit for a whole request: a server that sends a byte every few seconds
satisfies every socket timeout. The runner detects that and calls `abort`, which closes the
connection.

Answers:

- 2xx: delivered.
- 408, 425, 429, 502, 503, 504 and network failures: the server is away, and the event waits.
- Other 5xx: retried up to `_TRIES` times, as a server may fail on this one event for ever.
- Anything else: rejected. Redirects are not followed.
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
from edgevid.outputs.credentials import check_token, warn_if_readable
from edgevid.outputs.delivery.sink import Sink
from edgevid.outputs.payload import EventFormatter
from edgevid.redaction import public_address

TOKEN_VARIABLE = "EDGEVID_WEBHOOK_TOKEN"  # the variable's name, not a secret
TIMEOUT_S = 5.0
_TRIES = 8
_AWAY = (408, 425, 429, 502, 503, 504)
# The body of an answer is not used; reading some of it lets the server finish.
_ANSWER_BYTES = 4096


def check(url: str, environment: Mapping[str, str]) -> None:
    """Check the credentials before the run. The server itself may be away.

    Args:
        url: A legal URL.
        environment: As for `WebhookSender`.

    Raises:
        UsageError: The token cannot be sent in a header.
    """
    parts, token = urlsplit(url), environment.get(TOKEN_VARIABLE)
    check_token(token, variable=TOKEN_VARIABLE)
    if parts.scheme == "http" and (parts.username or token):
        host = parts.hostname or ""
        warn_if_readable(output="webhook", host=host, address=public_address(url), encrypted="https")


class WebhookSender(Sink):
    """A sink that posts events; see the module.

    Args:
        url: `http://` or `https://`. A user and password in it become basic authentication.
        formatter: Formats events.
        timeout_s: For the connection and for each wait for the server.
        environment: `EDGEVID_WEBHOOK_TOKEN` is sent as a bearer token, unless the URL has a user.
    """

    def __init__(
        self,
        url: str,
        *,
        formatter: EventFormatter,
        timeout_s: float = TIMEOUT_S,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._shown = public_address(url)
        self._host, self._port = parts.hostname, parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = _headers(parts.username, parts.password, environment)
        self._formatter = formatter
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        # The event that the server failed on last, and how often in a row.
        self._failures: tuple[str, int] = ("", 0)

    def started(self, event: Event) -> None:
        """Post the start of an event.

        Raises:
            OutputError: The server is away.
            OutputRefused: The server rejected the event.
        """
        self._post(event)

    def ended(self, event: Event) -> None:
        """Post the end of an event.

        Raises:
            OutputError: The server is away.
            OutputRefused: The server rejected the event.
        """
        self._post(event)

    def abort(self) -> None:
        """Close the connection, so that a request that hangs returns."""
        connected = self._socket
        if connected is not None:
            with contextlib.suppress(OSError):
                # close() would not wake the thread that waits in recv().
                connected.shutdown(socket.SHUT_RDWR)

    def _post(self, event: Event) -> None:
        fields = self._formatter.event(event)
        status = self._request(json.dumps(fields, allow_nan=False).encode())
        if 200 <= status < 300:
            self._failures = ("", 0)
        elif status in _AWAY:
            raise self._away(f"status {status}", hint="Check the server; events are kept until it accepts them.")
        elif status >= 500:
            raise self._server_error(f"{fields['id']} {fields['phase']}", status)
        else:
            raise self._rejected(f"status {status}")

    def _server_error(self, name: str, status: int) -> OutputError:
        """Return the error for a 5xx answer: a rejection after `_TRIES` of them for one event."""
        count = self._failures[1] + 1 if self._failures[0] == name else 1
        self._failures = (name, count)
        if count >= _TRIES:
            return self._rejected(f"status {status} {count} times")
        hint = f"Check the server's log; the event is sent up to {_TRIES} times."
        return self._away(f"status {status}", hint=hint)

    def _away(self, found: str, *, hint: str) -> OutputError:
        return OutputError(expected=f"{self._shown} to accept an event", found=found, hint=hint)

    def _rejected(self, found: str) -> OutputRefused:
        return OutputRefused(
            expected=f"{self._shown} to accept an event",
            found=found,
            hint="Check the URL and its credentials; the event was dropped.",
        )

    def _request(self, body: bytes) -> int:
        """Post a body and return the status."""
        connection = self._connection()
        try:
            connection.connect()
            # For `abort`: the connection drops its own reference as soon as the answer starts.
            self._socket = connection.sock
            connection.request("POST", self._target, body, self._headers)
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
            return answer.status
        except (OSError, http.client.HTTPException) as error:
            raise OutputError(
                expected=f"{self._shown} to answer",
                found=f"{type(error).__name__}: {error}",
                hint="Check that it is running; events are kept until it answers.",
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
    elif token := environment.get(TOKEN_VARIABLE):
        headers["Authorization"] = f"Bearer {token}"
    return headers
