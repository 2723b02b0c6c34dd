"""However many requests come, the metrics are computed once a second in each format."""

from __future__ import annotations

import pytest

from edgevid.outputs.prometheus.recent import Environ, RecentAnswers, StartResponse

PROMETHEUS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"


class Counted:
    """An application that lists the requests that reach it; its clock stands still."""

    def __init__(self) -> None:
        self.requests: list[Environ] = []
        self.now_ns = 0
        self.recent = RecentAnswers(self.answer, clock_ns=lambda: self.now_ns)

    def answer(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        self.requests.append(environ)
        start_response("200 OK", [("Content-Type", environ["HTTP_ACCEPT"] or "text/plain")])
        return [f"number {len(self.requests)}".encode()]

    def ask(self, accept: str = "*/*", method: str = "GET", **more: str) -> tuple[str, str, bytes]:
        said: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {"REQUEST_METHOD": method, "PATH_INFO": "/metrics", "QUERY_STRING": "", "HTTP_ACCEPT": accept, **more}
        body = b"".join(self.recent(environ, lambda status, headers: said.append((status, headers))))
        ((status, headers),) = said
        return status, dict(headers).get("Content-Type", ""), body


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_requests_within_a_second_get_one_answer_and_a_later_one_is_new(counted: Counted) -> None:
    assert {counted.ask() for _ in range(100)} == {("200 OK", "text/plain", b"number 1")}
    counted.now_ns = 999_999_999
    assert counted.ask()[2] == b"number 1"
    counted.now_ns = 1_000_000_000
    assert counted.ask()[2] == b"number 2"


def test_each_of_the_two_formats_has_an_answer_of_its_own(counted: Counted) -> None:
    for _ in range(3):
        assert counted.ask() == ("200 OK", "text/plain", b"number 1")
        assert counted.ask(PROMETHEUS)[1:] == ("application/openmetrics-text; version=1.0.0", b"number 2")
    assert len(counted.requests) == 2


def test_nothing_that_a_stranger_can_vary_makes_the_metrics_computed_again(counted: Counted) -> None:
    for number in range(50):
        counted.ask(f"text/plain;version={number}", PATH_INFO=f"/{number}", QUERY_STRING=f"name[]=a{number}")
        counted.ask(HTTP_ACCEPT_ENCODING="gzip" if number % 2 else "")
    assert len(counted.requests) == 1
    assert "gzip" not in str(counted.requests)


def test_other_methods_are_answered_without_the_metrics(counted: Counted) -> None:
    assert counted.ask(method="POST")[0] == "405 Method Not Allowed"
    assert counted.requests == []
