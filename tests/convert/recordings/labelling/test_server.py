"""The page that marks events, over real sockets: what it answers, and whom."""

import json
import socket
import struct
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edgevid import cli
from edgevid.errors import MissingDependency, UsageError
from tests.clips.videos import number_of
from tests.convert.recordings.labelling.shown import Shown


@pytest.fixture
def shown(tmp_path):
    made = Shown(tmp_path)
    yield made
    made.close()


def status(shown, path="/", **headers):
    request = urllib.request.Request(f"http://{shown.host}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def join(shown, **headers):
    headers = {"Authorization": f"Bearer {shown.token}", **headers}
    return connect(f"ws://{shown.host}/label", additional_headers=headers, compression=None, max_size=None)


def ask(line, **message):
    line.send(json.dumps(message))
    return receive(line)


def receive(line):
    answer = line.recv(20)
    if isinstance(answer, str):
        return json.loads(answer)
    number, is_last, time_s = struct.unpack(">IBd", answer[:13])
    picture = cv2.imdecode(np.frombuffer(answer[13:], np.uint8), cv2.IMREAD_COLOR)
    return number, bool(is_last), time_s, number_of(picture)


def save(line, events, *, number=1, video=0, stated=False, group="", condition=""):
    return ask(line, do="save", id=number, video=video, events=events, stated=stated, group=group, condition=condition)


def test_a_page_learns_of_the_recordings_and_gets_frames_by_their_time(shown):
    with join(shown) as line:
        assert receive(line) == {
            "kind": "hello",
            "videos": [{"name": "a.mp4", "events": None}, {"name": "b.avi", "events": None}],
            "labels": ["wave", "jump"],
            "file": "events.csv",
        }
        about = ask(line, do="open", video=1)
        assert (about["name"], about["length_s"], about["events"]) == ("b.avi", 2.0, [])
        assert ask(line, do="show", id=7, video=1, move="at", time_s=1.01) == (7, False, 1.0, 25)
        assert ask(line, do="show", id=8, video=1, move="after", time_s=1.0) == (8, False, 1.04, 26)
        assert ask(line, do="show", id=9, video=1, move="before", time_s=1.0) == (9, False, 0.96, 24)
        assert ask(line, do="show", id=10, video=0, move="at", time_s=1e300) == (10, True, 3.96, 99)
        assert ask(line, do="show", id=11, video=0, move="before", time_s=0) == {"kind": "none", "id": 11}
        frames = [ask(line, do="next", id=12, video=0, time_s=3.5), *(receive(line) for _ in range(11))]
        assert [frame[3] for frame in frames] == list(range(88, 100))
        assert [frame[1] for frame in frames] == [False] * 11 + [True]


def test_events_are_on_the_disk_when_the_page_hears_of_it(shown):
    with join(shown) as line:
        receive(line)
        assert save(line, [["wave", 1.0000001, 2]], group="ann") == {
            "kind": "saved",
            "id": 1,
            "video": 0,
            "events": 1,
        }
        assert shown.rows() == ["a.mp4,wave,1,2,ann"]
        assert save(line, [], video=1, stated=True)["events"] == 0
        assert shown.rows() == ["a.mp4,wave,1,2,ann", "b.avi,,,,"]
        refused = save(line, [["wave", 1, 2], ["jump", 1.5, 3]], number=5)
        assert (refused["kind"], refused["id"]) == ("refused", 5)
        assert "events that do not overlap" in refused["text"]
        assert "got 1 and inf" in save(line, [["wave", 1, 10**400]])["text"]
        assert "got 1 and nan" in save(line, [["wave", 1, float("nan")]])["text"]
        assert "within the 2.000 s" in save(line, [["wave", 1, 2.5]], video=1)["text"]
        assert shown.rows() == ["a.mp4,wave,1,2,ann", "b.avi,,,,"]
        assert save(line, [], video=1)["events"] is None
        assert shown.rows() == ["a.mp4,wave,1,2,ann"]
    with join(shown) as line:
        assert [each["events"] for each in receive(line)["videos"]] == [1, None]
        about = ask(line, do="open", video=0)
        assert (about["events"], about["group"], about["stated"]) == ([["wave", 1.0, 2.0]], "ann", True)


def test_a_file_that_cannot_be_written_is_told_to_the_page(shown):
    with join(shown) as line:
        receive(line)
        shown.file.mkdir()
        answer = save(line, [["wave", 1, 2]])
        assert answer["kind"] == "refused"
        assert "events.csv" in answer["text"]
        shown.file.rmdir()
        assert save(line, [["wave", 1, 2]])["kind"] == "saved"


def test_a_folder_that_is_gone_is_told_to_the_page(shown):
    with join(shown) as line:
        receive(line)
        shown.file.parent.rename(shown.file.parent.with_name("elsewhere"))
        try:
            assert save(line, [["wave", 1, 2]])["kind"] == "refused"
        finally:
            shown.file.parent.with_name("elsewhere").rename(shown.file.parent)


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[]",
        '"x"',
        "{}",
        '{"do": "delete"}',
        '{"do": []}',
        '{"do": "open", "video": 2}',
        '{"do": "open", "video": -1}',
        '{"do": "open", "video": true}',
        '{"do": "open", "video": "../a.mp4"}',
        '{"do": "show", "video": 0, "id": 1, "move": "close", "time_s": 0}',
        '{"do": "show", "video": 0, "id": -1, "move": "at", "time_s": 0}',
        '{"do": "show", "video": 0, "id": 1, "move": "at", "time_s": "0"}',
        '{"do": "save", "video": 0, "id": 1, "events": [["wave", 1]], "group": "", "condition": "", "stated": false}',
        '{"do": "save", "video": 0, "id": 1, "events": [[3, 1, 2]], "group": "", "condition": "", "stated": false}',
        '{"do": "save", "video": 0, "id": 1, "events": [], "group": 1, "condition": "", "stated": false}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_message_that_the_page_does_not_send_ends_its_socket_and_nothing_else(shown, message):
    with join(shown) as line:
        receive(line)
        line.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            line.recv(20)
        assert caught.value.rcvd.code == 1003
    assert not shown.file.exists()
    with join(shown) as line:
        assert receive(line)["kind"] == "hello"


def test_a_message_that_is_too_long_ends_its_socket(shown):
    with join(shown) as line, pytest.raises(ConnectionClosed):
        receive(line)
        line.send("x" * 2_000_000)
        line.recv(20)


def test_a_second_page_takes_over_from_the_first(shown):
    with join(shown) as first:
        receive(first)
        with join(shown) as second:
            receive(second)
            with pytest.raises(ConnectionClosed) as caught:
                first.recv(20)
            assert caught.value.rcvd.code == 4001
            assert save(second, [["wave", 1, 2]])["kind"] == "saved"


def test_a_video_that_cannot_be_read_is_told_to_the_page_and_the_others_are_shown(shown):
    (shown.folder / "a.mp4").write_bytes(b"no video")
    with join(shown) as line:
        receive(line)
        answer = ask(line, do="open", video=0)
        assert answer["kind"] == "failed"
        assert "a.mp4" in answer["text"]
        assert ask(line, do="open", video=1)["kind"] == "video"


def test_without_the_token_nobody_sees_or_writes_anything(shown):
    token = {"Authorization": f"Bearer {shown.token}"}
    assert status(shown) == 401
    assert status(shown, "/?token=wrong") == 401
    for path in ("/", "/label.js", "/marks.js", "/film.js", "/strip.js", "/label.css", "/page.css", "/icon.svg"):
        assert status(shown, path) == 401
        assert status(shown, path, **token) == 200
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
        with pytest.raises(InvalidStatus) as caught:
            join(shown, **headers)
        assert caught.value.response.status_code == 401


def test_no_other_site_and_no_other_name_reaches_the_page(shown):
    port = shown.host.rpartition(":")[2]
    for origin in ("http://evil.example", "null", f"http://evil.example:{port}", f"http://localhost:{int(port) ^ 1}"):
        with pytest.raises(InvalidStatus) as caught:
            join(shown, Origin=origin)
        assert caught.value.response.status_code == 403
    with join(shown, Origin=f"http://{shown.host}") as line:
        assert receive(line)["kind"] == "hello"
    for host in ("evil.example", f"evil.example:{port}", "192.168.1.2"):
        assert status(shown, "/", Host=host, Authorization=f"Bearer {shown.token}") == 421


@pytest.mark.parametrize(
    "path", ["/../sheet.py", "/static/label.js", "/a.mp4", "/events.csv", "//etc/passwd", "/%2e%2e/sheet.py", "/label"]
)
def test_nothing_but_the_page_is_served(shown, path):
    assert status(shown, path, Authorization=f"Bearer {shown.token}") == 404


def test_only_this_machine_reaches_the_port(shown):
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError):
        socket.create_connection((address, int(shown.host.rpartition(":")[2])), timeout=5)


def test_a_port_in_use_a_wrong_one_and_a_missing_library_are_one_line(shown, monkeypatch, capsys):
    port = shown.host.rpartition(":")[2]
    # Until it answers, its thread may still import what is missing below.
    status(shown)
    arguments = ["label", str(shown.folder), "-o", str(shown.file), "--port"]
    assert cli.main([*arguments, port]) == UsageError.exit_code
    assert "Choose another port" in capsys.readouterr().err
    assert cli.main([*arguments, "70000"]) == UsageError.exit_code
    assert "a port from 0 to 65535, got 70000" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "websockets.asyncio.server", None)
    assert cli.main([*arguments, "0"]) == MissingDependency.exit_code
    assert "websockets for edgevid label, got none. Run: pip install 'edgevid[web]'." in capsys.readouterr().err
