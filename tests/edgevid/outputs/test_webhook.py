"""The webhook against a real server that fails, hangs and disappears."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevid.errors import OutputError
from edgevid.outputs.delivery.fanout import FanOut
from edgevid.outputs.delivery.runner import DeliveryOptions, SinkRunner
from edgevid.outputs.payload import EventFormatter
from edgevid.outputs.webhook import WebhookSender
from tests.edgevid.outputs.sinks import decision, event, until
from tests.servers.receiver import Receiver

FORMATTER = EventFormatter(live=False, run="run")
BOTH = [("start", 1.0), ("end", 1.0)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def runner(url: str, **options: object) -> SinkRunner:
    return SinkRunner(
        "webhook",
        lambda: WebhookSender(url, formatter=FORMATTER, environment={}, **options),  # type: ignore[arg-type]
        DeliveryOptions(first_pause_s=0.01, longest_pause_s=0.02),
    )


def tell(outputs: FanOut) -> None:
    outputs.decided(decision(1.0))
    outputs.started(event(1.0))
    outputs.ended(event(1.0, 2.5))


def test_the_start_and_the_end_of_an_event_are_posted_as_json(receiver: Receiver) -> None:
    outputs = FanOut([runner(receiver.url)])
    tell(outputs)
    outputs.close()
    assert receiver.told() == BOTH
    body, headers = receiver.received[1]
    assert body == {
        "event": "wave",
        "phase": "end",
        "id": "run-tiny-wave-1.000",
        "model": "tiny",
        "start_s": 1.0,
        "announced_s": 1.0,
        "end_s": 2.5,
        "duration_s": 1.5,
        "score": 0.9,
        "age_ms": 40.0,
    }
    assert headers["Content-Type"] == "application/json"


def test_an_event_has_what_its_model_gave_beside_the_scores_of_the_decision_it_came_from(receiver: Receiver) -> None:
    outputs = FanOut([runner(receiver.url)])
    for t_s, box in ((0.9, [0.0, 0.0]), (1.0, [0.25, 0.1234567])):
        outputs.decided(dataclasses.replace(decision(t_s), values={"box": box}))
    outputs.started(event(1.0))
    outputs.started(event(1.0, model="another"))
    outputs.decided(dataclasses.replace(decision(2.5), values={"box": [0.75, 0.5]}))
    outputs.ended(event(1.0, 2.5))
    outputs.close()
    told = {(body["model"], body["phase"]): body.get("values") for body, _headers in receiver.received}
    assert told == {
        ("tiny", "start"): {"box": [0.25, 0.123457]},
        ("another", "start"): None,
        ("tiny", "end"): {"box": [0.75, 0.5]},
    }


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_gets_the_events_later_in_order_and_once(receiver: Receiver, status: int) -> None:
    receiver.status = status
    outputs = FanOut([runner(receiver.url)])
    tell(outputs)
    until(lambda: receiver.tries >= 3)
    assert f"status {status}" in (outputs.reports()[0].problem or "")
    receiver.status = 200
    until(lambda: len(receiver.received) == 2)
    outputs.close()
    assert receiver.told() == BOTH


def test_an_event_on_which_the_server_always_fails_does_not_hold_up_the_others(receiver: Receiver) -> None:
    receiver.status = lambda body: 500 if body["phase"] == "start" else 200
    outputs = FanOut([runner(receiver.url)])
    tell(outputs)
    until(lambda: receiver.told() == [("end", 1.0)])
    outputs.close()
    assert outputs.reports()[0].dropped["refused"] == 1
    assert receiver.tries == 9


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 410])
def test_a_refusal_is_counted_and_not_tried_again_and_redirects_are_not_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.status = status
    outputs = FanOut([runner(receiver.url)])
    tell(outputs)
    until(lambda: outputs.reports()[0].dropped["refused"] == 2)
    outputs.close()
    assert receiver.tries == 2


def test_a_server_that_disappears_and_comes_back_gets_every_event(receiver: Receiver) -> None:
    first = Receiver()
    port = first.port
    outputs = FanOut([runner(first.url)])
    outputs.started(event(1.0))
    until(lambda: len(first.received) == 1)
    first.close()
    outputs.ended(event(1.0, ended=True))
    outputs.started(event(2.0))
    until(lambda: outputs.reports()[0].problem is not None)
    second = Receiver(port=port)
    until(lambda: len(second.received) == 2)
    outputs.close()
    second.close()
    assert second.told() == [("end", 1.0), ("start", 2.0)]


def test_a_server_that_hangs_times_out_and_the_event_waits() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        outputs = FanOut([runner(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05)], close_s=0.3)
        tell(outputs)
        until(lambda: "timed out" in (outputs.reports()[0].problem or ""))
        outputs.close()
    assert outputs.reports()[0].delivered["event"] == 0


def test_a_server_that_answers_a_byte_at_a_time_is_cut_off_and_the_event_is_posted_again() -> None:
    """Each wait is short enough, and all together never end: only the watch over the whole call finds it."""
    done = threading.Event()
    served = []

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while not done.wait(0.02):
                try:
                    connection.send(b"H")
                except OSError:
                    break
            served.append("cut off")

    with socket.socket() as drip:
        drip.bind(("127.0.0.1", 0))
        drip.listen()
        thread = threading.Thread(target=serve, args=(drip,), daemon=True)
        thread.start()
        sink = runner(f"http://127.0.0.1:{drip.getsockname()[1]}/")
        sink.start()
        sink.started(event(1.0))
        until(lambda: sink.report().waiting == 0)
        sink.check(monotonic_ns() + 9_000_000_000)
        assert "no progress" in (sink.report().problem or "")
        assert sink.report().waiting == 1
        until(lambda: served == ["cut off"])
        done.set()
        thread.join()


def test_credentials_are_sent_and_never_shown(receiver: Receiver) -> None:
    receiver.status = lambda body: 200 if body["phase"] == "start" else 404
    outputs = FanOut([runner(receiver.url.replace("//", "//pi:se%20cret@") + "?key=hidden")])
    tell(outputs)
    until(lambda: outputs.reports()[0].problem is not None)
    outputs.close()
    assert receiver.received[0][1]["Authorization"] == "Basic cGk6c2UgY3JldA=="
    assert not {"cret", "hidden", "pi:"} & {
        word for word in ("cret", "hidden", "pi:") if word in (outputs.reports()[0].problem or "")
    }


def test_a_token_from_the_environment_is_sent_as_bearer(receiver: Receiver) -> None:
    WebhookSender(receiver.url, formatter=FORMATTER, environment={"EDGEVID_WEBHOOK_TOKEN": "word"}).started(event(1.0))
    assert receiver.received[0][1]["Authorization"] == "Bearer word"


@settings(max_examples=60)
@given(
    answer=st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
)
def test_no_answer_whatever_it_is_breaks_the_sink(answer: bytes) -> None:
    """What is no answer is a server that is away; what is one is taken."""
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def serve() -> None:
            connection, _ = odd.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with contextlib.suppress(OutputError):
            WebhookSender(
                f"http://127.0.0.1:{odd.getsockname()[1]}/", formatter=FORMATTER, timeout_s=5, environment={}
            ).started(event(1.0))
        thread.join()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine's name that no authority has signed, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(
        ["openssl", *words.split(), *files, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True
    )
    return tmp_path / "certificate.pem"


@pytest.fixture
def tls_receiver(receiver: Receiver, certificate: Path) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    receiver.serve_tls(context)
    return receiver


def test_a_server_without_a_trusted_certificate_gets_no_event(tls_receiver: Receiver) -> None:
    sender = WebhookSender(f"https://localhost:{tls_receiver.port}/", formatter=FORMATTER, environment={})
    with pytest.raises(OutputError, match="CERTIFICATE_VERIFY_FAILED"):
        sender.started(event(1.0))
    assert (tls_receiver.tries, tls_receiver.received) == (0, [])


def test_a_trusted_certificate_counts_for_its_own_name_only(
    tls_receiver: Receiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    WebhookSender(f"https://localhost:{tls_receiver.port}/", formatter=FORMATTER, environment={}).started(event(1.0))
    assert tls_receiver.told() == [("start", 1.0)]
    other = WebhookSender(f"https://127.0.0.1:{tls_receiver.port}/", formatter=FORMATTER, environment={})
    with pytest.raises(OutputError, match="IP address mismatch"):
        other.started(event(2.0))
    assert tls_receiver.told() == [("start", 1.0)]
