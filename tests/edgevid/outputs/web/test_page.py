"""The live page, over real sockets and in a real browser."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from edgevid.errors import MissingDependency, UsageError
from edgevid.events.decide import Decision
from edgevid.outputs import pending
from edgevid.outputs.web import server, site
from edgevid.outputs.web.page import LivePage
from tests.browser import Browser, chromium, needs_chromium
from tests.edgevid.outputs.sinks import LABELS, decision, event, until
from tests.edgevid.outputs.web.show import TOKEN, Show


@pytest.fixture
def show() -> Iterator[Show]:
    made = Show()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def get(show: Show, path: str = "/", **headers: str) -> Any:
    return urllib.request.urlopen(urllib.request.Request(f"http://{show.address}{path}", headers=headers), timeout=20)


def status(show: Show, path: str = "/", **headers: str) -> int:
    try:
        with get(show, path, **headers) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def look(show: Show, **headers: str) -> ClientConnection:
    return connect(f"ws://{show.address}/live", additional_headers=headers, compression=None)


def texts(line: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind."""
    end_s = time.monotonic() + 20
    while True:
        assert time.monotonic() < end_s, f"no message of the kind {kind}"
        message = line.recv(20)
        if isinstance(message, str) and (found := json.loads(message))["kind"] == kind:
            return found


def test_everything_that_the_page_needs_is_served_from_here(show: Show) -> None:
    with get(show) as answer:
        page, headers = answer.read().decode(), answer.headers
    needed = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert set(needed) == {"/icon.svg", "/page.css", "/page.js"}
    for path in [*needed, "/chart.js", "/region.js"]:
        assert status(show, path) == 200
    assert status(show, "/../page.css") == 404
    assert status(show, "/login.html") == 404
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_viewer_gets_what_was_before_it_came_and_then_what_is_new(show: Show) -> None:
    show.outputs.decided(decision(1.0, score=0.5))
    show.outputs.started(event(0.5))
    show.outputs.ended(event(0.5, 0.9))
    with look(show) as line:
        hello = texts(line, "hello")
        assert hello["source"] == "test camera"
        assert hello["models"][0] == {
            "name": "tiny",
            "labels": list(LABELS),
            "background": ["none"],
            "enter": 0.6,
            "exit": 0.4,
            "about": "window, int8",
        }
        assert hello["history"] == [[[1.0, 0.25, 0.5, 0.25]]]
        assert [(each["event"], each["phase"], each["end_s"]) for each in hello["events"]] == [("wave", "end", 0.9)]
        show.outputs.decided(decision(2.0, "swipe"))
        until(lambda: texts(line, "state")["decisions"][0]["label"] == "swipe")
        show.outputs.started(event(2.0, label="swipe"))
        assert texts(line, "event")["event"] in ("wave", "swipe")
        vitals = texts(line, "vitals")
        assert vitals["viewers"] == 1
        assert vitals["temperature_c"] == 81.5
        assert {each["name"] for each in vitals["outputs"]} == {"pictures", "page"}


def test_the_history_holds_a_minute_at_ten_a_second_whatever_the_rate(show: Show) -> None:
    for index in range(5000):
        show.hub.add_decision(decision(index / 30))
    (history,) = json.loads(show.hub.hello())["history"]
    assert len(history) == 600
    assert history[-1][0] == pytest.approx(5000 / 30, abs=0.2)


def test_pictures_are_made_once_for_all_viewers_and_only_while_one_looks(show: Show) -> None:
    show.frame(0)
    assert show.pictures.report().delivered["picture"] == 0
    with ExitStack() as stack:
        lines = [stack.enter_context(look(show)) for _ in range(4)]
        until(lambda: show.pictures.viewers == 4)
        show.frame(1)
        got = []
        for line in lines:
            while isinstance(message := line.recv(20), str):
                pass
            got.append(message)
    assert len({bytes(each) for each in got}) == 1
    (t_s,) = struct.unpack(">d", got[0][:8])
    assert t_s == pytest.approx(time.monotonic(), abs=20)
    assert cv2.imdecode(np.frombuffer(got[0][8:], np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)
    assert show.pictures.report().delivered["picture"] == 1
    until(lambda: show.pictures.viewers == 0)


def test_a_viewer_gets_the_next_picture_when_it_has_shown_the_last_and_never_an_old_one(show: Show) -> None:
    with look(show) as line:
        until(lambda: show.pictures.viewers == 1)
        for number in range(6):
            show.frame(number)
            time.sleep(0.12)
        until(lambda: show.pictures.report().delivered["picture"] >= 5)
        newest = show.pictures.ring.get(show.pictures.ring.next_number - 1)
        assert newest is not None
        pictures = []
        while len(pictures) < 2:
            if not isinstance(message := line.recv(20), str):
                pictures.append(message)
                line.send("ok")
        assert bytes(pictures[1][8:]) == newest.jpeg


def test_a_viewer_that_takes_nothing_is_dropped_and_the_others_see_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (server, site):
        monkeypatch.setattr(module, "PATIENCE_S", 0.4)
    show = Show()
    hanging = socket.create_connection(("localhost", show.page.endpoint.port))
    hanging.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    hanging.sendall(
        f"GET /live HTTP/1.1\r\nHost: {show.address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    until(lambda: show.pictures.viewers == 1)
    with look(show) as line:
        until(lambda: show.pictures.viewers == 2)
        show.play()
        until(lambda: show.pictures.viewers == 1)
        assert texts(line, "state")
    hanging.close()
    show.close()


def test_clients_that_connect_and_do_not_ask_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "REQUEST_S", 0.2)
    show = Show()
    idle = [socket.create_connection(("localhost", show.page.endpoint.port)) for _ in range(20)]
    for client in idle[:10]:
        client.sendall(b"GET / HT")
    for client in idle:
        client.settimeout(20)
        try:
            while client.recv(100):
                pass
        except ConnectionResetError:
            pass
        client.close()
    assert status(show) == 200
    show.close()


def test_there_is_room_for_a_number_of_viewers_and_no_more(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_VIEWERS", 2)
    with look(show), look(show):
        until(lambda: show.pictures.viewers == 2)
        with look(show) as third, pytest.raises(ConnectionClosed) as refused:
            third.recv(20)
    assert refused.value.rcvd is not None
    assert refused.value.rcvd.code == 1013


def test_a_request_in_a_strangers_name_or_from_its_page_gets_nothing(show: Show) -> None:
    assert status(show, Host="evil.example") == 421
    with pytest.raises(InvalidStatus) as refused:
        look(show, Origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_an_open_page_shows_nothing_without_its_token() -> None:
    show = Show(host="", environment={"EDGEVID_PAGE_TOKEN": TOKEN})
    assert status(show) == status(show, "/page.js") == status(show, "/?token=wrong") == 401
    with pytest.raises(InvalidStatus) as refused:
        look(show)
    assert refused.value.response.status_code == 401
    assert status(show, Authorization=f"Bearer {TOKEN}") == 200
    with look(show, Authorization=f"Bearer {TOKEN}") as line:
        assert texts(line, "hello")
    show.close()


def test_a_made_up_token_is_said_once_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    show = Show(host="")
    said = capsys.readouterr().err
    (token,) = re.findall(r"\?token=(\S+)", said)
    assert status(show, f"/?token={token}x") == 401
    assert status(show, Authorization=f"Bearer {token}") == 200
    show.close()
    assert token not in capsys.readouterr().err


ODD_REQUESTS = {
    "zeros": b"\x00" * 100 + b"\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "post": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    "long line": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    "half a socket": b"GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", ODD_REQUESTS.values(), ids=list(ODD_REQUESTS))
def test_requests_that_are_none_leave_the_page_serving(show: Show, request_bytes: bytes) -> None:
    with socket.create_connection(("localhost", show.page.endpoint.port)) as client:
        client.sendall(request_bytes)
        client.settimeout(20)
        try:
            answer = client.recv(4096)
            assert not answer.startswith(b"HTTP/1.1 200")
        except ConnectionResetError:
            pass
    assert status(show) == 200


def test_a_viewer_that_says_more_than_ok_is_dropped(show: Show) -> None:
    with look(show) as line, pytest.raises(ConnectionClosed):
        line.send("x" * 1000)
        while True:
            line.recv(20)
    assert status(show) == 200


def test_a_place_that_is_taken_is_refused_before_the_run(show: Show) -> None:
    with pytest.raises(UsageError, match="Choose another port"):
        LivePage(show.page.endpoint, show.hub, pictures=None, environment={})


def test_without_websockets_the_message_says_what_to_install(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "websockets.asyncio.server", None)
    with pytest.raises(MissingDependency, match=r"edgevid\[web\]"):
        site.check("--page")


def test_many_models_in_the_loop_cost_the_page_no_text_while_nobody_looks(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object, **_kwargs: object) -> str:
        raise AssertionError("made for nobody")

    monkeypatch.setattr("edgevid.outputs.web.hub._text", never)
    for number in range(30):
        show.frame(number)
    time.sleep(0.3)
    assert show.outputs.reports()[1].problem is None


@needs_chromium
@pytest.mark.parametrize(
    ("width_px", "height_px", "phone", "dark"),
    [(1280, 900, False, False), (390, 844, True, True)],
    ids=["desktop, light", "phone, dark"],
)
def test_in_a_browser_everything_is_shown_and_nothing_is_wrong(
    show: Show, browser: Browser, tmp_path: Path, width_px: int, height_px: int, phone: bool, dark: bool
) -> None:
    show.values = {
        "hand_box": [0.123456, 0.25, 40.0, 80.5],
        "speed": [-1.5],
        "heat_map": [float(number) for number in range(100)],
    }
    show.counts = {"up,down": 12}
    show.play()
    with browser.page(
        f"http://{show.address}/", width_px=width_px, height_px=height_px, phone=phone, dark=dark
    ) as page:
        page.until("document.querySelector('#video').dataset.shown > 5")
        page.until("document.querySelector('#stage').classList.contains('event')")
        assert page.run("document.querySelector('#label').textContent") == "wave"
        assert "event: wave for" in page.run("document.querySelector('#ongoing').textContent")
        assert page.run("[...document.querySelectorAll('#bars b')].map(each => each.textContent)") == list(LABELS)
        assert page.run("[...document.querySelectorAll('#values dt')].map(each => each.textContent)") == [
            "hand box",
            "speed",
            "heat map",
            "up,down",
        ]
        numbers = page.run("[...document.querySelectorAll('#values dd')].map(each => each.textContent)")
        assert numbers == ["0.1235  0.25  40  80.5", "-1.5", "0  1  2  3  4  5  6  7  8  9  10  11  and 88 more", "12"]
        page.until("document.querySelector('#facts').textContent.includes('81.5')")
        assert "throttled" in page.run("document.querySelector('#troubles').textContent")
        assert page.run("[...document.querySelectorAll('#outputs tr')].map(row => row.firstChild.textContent)") == [
            "pictures",
            "page",
        ]
        page.until("document.querySelector('#events .number:not(.going)')?.textContent.includes('90%')")
        assert page.run("document.querySelector('#link').textContent") == "live"
        painted = page.run(
            "(() => {const c = document.querySelector('#chart');"
            " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)})()"
        )
        assert painted
        assert page.run("document.documentElement.scrollWidth") <= width_px
        picture = tmp_path / "page.png"
        page.picture(picture)
        light = cv2.imread(str(picture))[2:20, 2:20].mean()
        assert light < 60 if dark else light > 200
        assert page.complaints == []
        assert all(re.match(rf"(?:http|ws|blob:http)://{show.address}/", address) for address in page.asked)


@needs_chromium
def test_in_a_browser_the_token_leaves_the_address_and_a_reload_needs_none(browser: Browser) -> None:
    show = Show(host="", environment={"EDGEVID_PAGE_TOKEN": TOKEN})
    show.play()
    with browser.page(f"http://{show.address}/") as page:
        assert "token" in page.run("document.body.textContent")
        page.run(f"document.querySelector('input').value = '{TOKEN}'")
        page.run("document.querySelector('form').requestSubmit()")
        page.until("document.querySelector('#video')?.dataset.shown > 1")
        assert page.run("location.href") == f"http://{show.address}/"
        assert page.run("document.cookie") == ""
        page.run("location.reload()")
        page.until("document.querySelector('#video')?.dataset.shown > 1")
    show.close()


@needs_chromium
def test_in_a_browser_the_page_comes_back_after_a_restart_and_models_can_be_chosen(browser: Browser) -> None:
    show = Show(models=2)
    show.play()
    port = show.page.endpoint.port
    with browser.page(f"http://{show.address}/") as page:
        page.until("document.querySelectorAll('#models button').length === 2")
        page.until("document.querySelector('#label').textContent !== '…'")
        assert page.run("document.querySelector('#values').hidden"), (
            "a model that gives scores alone has no place for more"
        )
        page.run("document.querySelectorAll('#models button')[1].click()")
        assert page.run("document.querySelector('[aria-pressed=true]').textContent") == "other"
        show.close()
        page.until("document.querySelector('#link').textContent === 'run ended'")
        again = Show(port=port, models=2)
        again.play()
        page.until("document.querySelector('#link').textContent === 'live'")
    again.close()


def test_scores_of_hundreds_of_labels_are_sent_as_numbers() -> None:
    labels = tuple(f"label {index}" for index in range(300))
    show = Show(labels=labels)
    scores = [1 / 300] * 300
    show.outputs.decided(Decision(1.0, labels[0], 1 / 300, scores, 1.0, labels, "tiny"))
    with look(show) as line:
        assert len(texts(line, "hello")["history"][0][0]) == 301
    show.close()
