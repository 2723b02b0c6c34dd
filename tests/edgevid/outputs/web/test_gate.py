"""Who may see the live page."""

from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevid.errors import UsageError
from edgevid.outputs.addresses import Broker, Endpoint, broker, endpoint
from edgevid.outputs.host_check import host_name, is_allowed_host, is_same_origin
from edgevid.outputs.web.gate import Gate, choose_token
from edgevid.redaction import public_address

LOCAL, OPEN = Endpoint(host="localhost", port=8080), Endpoint(host="", port=8080)
TOKEN = "a-token-that-is-long"


@pytest.mark.parametrize("host", ["localhost:8080", "localhost", "127.0.0.1:8080", "[::1]:8080", "camera.localhost"])
def test_a_local_page_answers_to_the_names_of_this_machine(host: str) -> None:
    assert Gate(LOCAL, None).judge("/", {"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "192.168.1.5:8080",
        "raspberrypi.local:8080",
        "localhost.evil.example",
        "",
        None,
        "a[b",
        "1.2.3",
    ],
)
def test_a_local_page_answers_to_no_other_name(host: str | None) -> None:
    """A page on the web can give its own name this machine's address; it cannot change the name in the request."""
    assert Gate(LOCAL, None).judge("/", {} if host is None else {"Host": host}).status == 421


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("raspberrypi:8080", True),
        ("raspberrypi.local:8080", True),
        ("192.168.1.5:8080", True),
        ("[fe80::1]:8080", True),
        ("pi.lan", True),
        ("evil.example", False),
    ],
)
def test_an_open_page_answers_to_names_that_no_stranger_can_register(host: str, fine: bool) -> None:
    assert is_allowed_host(host, OPEN) is fine


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:8080", 200),
        ("http://localhost:9999", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_a_socket_is_opened_by_this_very_page_only(origin: str | None, status: int) -> None:
    headers = {"Host": "localhost:8080"} | ({} if origin is None else {"Origin": origin})
    assert Gate(LOCAL, None).judge("/live", headers).status == status


def test_an_open_page_needs_its_token_once_and_then_the_cookie() -> None:
    gate, host = Gate(OPEN, TOKEN), {"Host": "raspberrypi.local:8080"}
    assert gate.judge("/", host).status == 401
    assert gate.judge("/?token=wrong", host).status == 401
    first = gate.judge(f"/?token={TOKEN}", host)
    assert (first.status, first.headers["Location"]) == (303, "/")
    cookie = first.headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert gate.judge("/live", {**host, "Cookie": f"other=1; {cookie.partition(';')[0]}"}).status == 200
    assert gate.judge("/live", {**host, "Cookie": cookie.partition(";")[0][:-1]}).status == 401
    assert Gate(OPEN, TOKEN + "2").judge("/", {**host, "Cookie": cookie.partition(";")[0]}).status == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [(f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), ("Bearer no", 401), ("Basic x", 401), ("", 401)],
)
def test_a_program_sends_the_token_as_bearer(sent: str, status: int) -> None:
    assert Gate(OPEN, TOKEN).judge("/", {"Host": "raspberrypi", "Authorization": sent}).status == status


@settings(max_examples=40)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_request_gets_past_without_the_token_and_none_breaks_the_gate(target: str, cookie: str, bearer: str) -> None:
    headers = {"Host": "raspberrypi", "Cookie": cookie, "Authorization": f"Bearer {bearer}"}
    assert Gate(OPEN, TOKEN).judge(target, headers).status == 401


@given(st.text(max_size=40))
def test_any_host_header_is_judged(host: str) -> None:
    assert is_allowed_host(host, LOCAL) in (True, False)
    assert is_same_origin(host, host) in (True, False)
    assert host_name(host) is None or isinstance(host_name(host), str)


def test_a_token_is_made_up_where_it_is_needed_and_not_given() -> None:
    assert choose_token(LOCAL, {}) == (None, False)
    (first, said), (second, _) = choose_token(OPEN, {}), choose_token(OPEN, {})
    assert said
    assert first != second
    assert len(first or "") >= 32
    assert choose_token(LOCAL, {"EDGEVID_PAGE_TOKEN": TOKEN}) == (TOKEN, False)
    with pytest.raises(UsageError, match="at least 16"):
        choose_token(OPEN, {"EDGEVID_PAGE_TOKEN": "short"})


@pytest.mark.parametrize(
    ("text", "host", "port", "local"),
    [
        ("localhost:8080", "localhost", 8080, True),
        (":80", "", 80, False),
        ("[::1]:1", "::1", 1, True),
        ("0.0.0.0:5", "0.0.0.0", 5, False),
        ("127.0.0.9:0", "127.0.0.9", 0, True),
    ],
)
def test_an_endpoint_says_whether_it_is_local(text: str, host: str, port: int, local: bool) -> None:
    found = endpoint(text)
    assert (found.host, found.port, found.is_local) == (host, port, local)


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", "localhost:x", "localhost:70000", "::1:80", "a:b:80"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        endpoint(text)


@given(st.text(alphabet="abcXYZ0189:/?#[]@!$&'()*+,;=%.-_ é", min_size=1, max_size=30))
def test_a_url_is_never_shown_with_its_password(password: str) -> None:
    secret = f"S3{password}cr3t"
    for url in (f"mqtt://user:{secret}@host:1/p", f"http://user:{secret}@host/p?key={secret}"):
        assert secret not in public_address(url)


@given(st.text(max_size=40))
def test_any_mqtt_url_is_read_or_refused_in_one_sentence(text: str) -> None:
    for url in (text, f"mqtt://{text}", f"mqtt://host/{text}", f"mqtt://host?{text}"):
        try:
            assert isinstance(broker(url, {}), Broker)
        except UsageError as error:
            assert "\n" not in str(error)


UNENCODED = ["hush/hush", "12/34", "12?hush=34", "12/hush+34", "hush#hush", "12#34", "hush\u2100hush", "[hush"]


@pytest.mark.parametrize("password", UNENCODED)
def test_no_part_of_a_password_that_was_not_encoded_is_shown(password: str) -> None:
    """A slash or # ends the part of a URL that may have a password; what is before it looks like a port."""
    with pytest.raises(UsageError) as refused:
        broker(f"mqtt://me:{password}@pi.local/hall", {})
    assert not {"hush", "12", "34"} & set(re.findall(r"\w+", str(refused.value).replace("%23", "")))


def test_a_broker_is_shown_without_its_user_and_password() -> None:
    found = broker("mqtts://me:pass%20word@pi.local/hall", {})
    assert (found.username, found.password, found.port) == ("me", "pass word", 8883)
    assert "word" not in f"{found} {found!r}"
    assert str(found) == "mqtts://pi.local:8883/hall"


def test_a_token_is_compared_in_a_time_that_does_not_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is measured: the comparison of the standard library decides, and nothing else."""
    compared: list[tuple[bytes, bytes]] = []

    def never(offered: bytes, wanted: bytes) -> bool:
        compared.append((offered, wanted))
        return False

    monkeypatch.setattr(hmac, "compare_digest", never)
    request = Gate(OPEN, TOKEN).judge(f"/?token={TOKEN}", {"Host": "raspberrypi.local:8080"})
    assert request.status not in (200, 303)
    assert (TOKEN.encode(), TOKEN.encode()) in compared


def test_a_token_has_at_least_16_characters() -> None:
    assert choose_token(OPEN, {"EDGEVID_PAGE_TOKEN": "t" * 16}) == ("t" * 16, False)
    with pytest.raises(UsageError, match="at least 16 characters"):
        choose_token(OPEN, {"EDGEVID_PAGE_TOKEN": "t" * 15})


def test_a_cookie_whose_name_is_illegal_is_no_pass() -> None:
    assert Gate(OPEN, TOKEN).judge("/", {"Host": "raspberrypi.local:8080", "Cookie": "a,b=c"}).status == 401


def test_the_last_of_several_tokens_counts() -> None:
    gate, headers = Gate(OPEN, TOKEN), {"Host": "raspberrypi.local:8080"}
    assert gate.judge(f"/?token=first&token=wrong&token={TOKEN}", headers).status == 303
    assert gate.judge(f"/?token={TOKEN}&token=wrong", headers).status == 401
