"""A WSGI application whose answers are kept for a second, so that its work does not grow with the requests.

Everyone on the network may ask for the metrics, as often as they like, and each answer takes
milliseconds of a small board's processor (1.2 ms on x86). Prometheus asks every 15 s, or every few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any

from edgevid.units import NS_PER_S

# A WSGI environment, as far as it is used.
Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

RECENT_S = 1.0
_OPEN_METRICS = "application/openmetrics-text"


@dataclass(frozen=True)
class _Answer:
    """An answer of the application, and when it was made."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    made_ns: int


class RecentAnswers:
    """The application behind its recent answers.

    There are two, because a client chooses one of two formats. Nothing else of a request reaches the
    application: other queries and compression would be work of their own.

    Args:
        app: Answers GET requests, by their Accept header.
        clock_ns: Monotonic time.
    """

    def __init__(self, app: App, clock_ns: Callable[[], int] = monotonic_ns) -> None:
        self._app, self._clock_ns = app, clock_ns
        self._recent: dict[str, _Answer] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, from the answer to an earlier one if it is recent."""
        if environ["REQUEST_METHOD"] != "GET":
            start_response("405 Method Not Allowed", [("Allow", "GET")])
            return [b"Use GET.\n"]
        accept = f"{_OPEN_METRICS}; version=1.0.0" if _OPEN_METRICS in environ.get("HTTP_ACCEPT", "") else ""
        answer = self._recent.get(accept)
        if answer is None or self._clock_ns() - answer.made_ns >= RECENT_S * NS_PER_S:
            answer = self._recent[accept] = self._make(accept)
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _make(self, accept: str) -> _Answer:
        made: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "QUERY_STRING": "", "HTTP_ACCEPT": accept}
        body = b"".join(self._app(environ, lambda status, headers: made.append((status, headers))))
        ((status, headers),) = made
        return _Answer(status, headers, body, self._clock_ns())
