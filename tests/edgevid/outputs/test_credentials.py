"""Tokens and passwords: those that cannot be sent, and those that others can read on their way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import edgevid
from edgevid import cli
from edgevid.errors import UsageError
from edgevid.outputs import webhook
from edgevid.outputs.addresses import broker, endpoint
from edgevid.outputs.mqtt import publisher
from edgevid.outputs.web.gate import choose_token
from tests.edgevid.outputs.test_pending import BUNDLE

RUN = ["run", BUNDLE, "--source", "synthetic:3", "--max-frames", "1"]


@pytest.mark.parametrize("token", ["hush-hush-hush-hush\n", "hush hush hush hush", "hush-hush-hush-h\u00fcsh"])
@pytest.mark.parametrize(
    ("variable", "options"),
    [
        ("EDGEVID_WEBHOOK_TOKEN", ["--webhook", "http://127.0.0.1:1/x"]),
        ("EDGEVID_PAGE_TOKEN", ["--page", "localhost:0"]),
    ],
)
def test_a_token_that_no_header_can_carry_is_rejected_before_the_run_and_not_shown(
    token: str, variable: str, options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, token)
    assert cli.main([*RUN, *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"edgevid: Expected {variable} of printable ASCII characters")
    assert "hush" not in said
    assert said.count("\n") == 1


def test_a_password_with_a_line_break_or_of_other_bytes_is_rejected_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content in (b"hu\nsh", b"hush\xff"):
        file.write_bytes(content)
        with pytest.raises(UsageError) as refused:
            publisher.check(broker("mqtt://me@localhost", {"EDGEVID_MQTT_PASSWORD_FILE": str(file)}))
        assert "hu" not in str(refused.value).replace(str(file), "")
    for content in (b"hush\n", b"hush\r\n"):
        file.write_bytes(content)
        assert broker("mqtt://me@localhost", {"EDGEVID_MQTT_PASSWORD_FILE": str(file)}).password == "hush"


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://me:hush@example.org/hook", True),
        ("http://example.org/hook", False),
        ("https://me:hush@example.org/hook", False),
        ("http://me:hush@localhost/hook", False),
    ],
)
def test_a_webhooks_password_that_goes_over_plain_http_is_a_warning(
    url: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.check(url, {})
    assert ["unencrypted" in record.getMessage() for record in caplog.records] == [True] * warns
    assert "hush" not in caplog.text


def test_a_token_and_a_brokers_password_that_go_over_a_plain_connection_are_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        webhook.check("http://example.org/hush", {"EDGEVID_WEBHOOK_TOKEN": "hush"})
        publisher.check(broker("mqtt://me:hush@pi.local/hall", {}))
        publisher.check(broker("mqtts://me:hush@pi.local/hall", {}))
        publisher.check(broker("mqtt://pi.local/hall", {}))
    said = [record.getMessage() for record in caplog.records]
    assert [("http://example.org" in each, "mqtt://pi.local:1883" in each) for each in said] == [
        (True, False),
        (False, True),
    ]
    assert "hush" not in caplog.text
    assert "hush" not in repr(edgevid.Webhook("http://example.org/hush", token="hush"))


def test_a_pages_token_may_have_any_printable_character() -> None:
    token = "!\"#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"
    assert choose_token(endpoint(":80"), {"EDGEVID_PAGE_TOKEN": token}) == (token, False)
