"""Addresses that a user writes: HOST:PORT, MQTT URLs and webhook URLs.

A URL may hold a password, so no message, log line or `repr` shows more of one than
`edgevid.redaction.public_address` returns.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from edgevid.errors import UsageError
from edgevid.redaction import has_late_at, public_address

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MQTT_FORM = "mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]"
_MQTT_OPTIONS = {"discovery", "ca"}
_ENCODE = "Percent-encode special characters in a password, such as %2F for a slash."
_MAX_PORT = 65_535
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ANY_ADDRESS = "0.0.0.0"
# Connections that the kernel accepts before their server runs; they only wait.
_WAITING_CLIENTS = 64


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The address that a server listens on.

    Attributes:
        host: Name or address; empty for every address of this machine.
        port: 0 for any free port.
    """

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    def __str__(self) -> str:
        """Return HOST:PORT, with brackets around an IPv6 address."""
        host = self.host or _ANY_ADDRESS
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """An MQTT broker and the topics to use there.

    Attributes:
        host: Name or address.
        port: TCP port.
        tls: Whether to encrypt the connection and check the broker's certificate.
        username: None for no log-in.
        password: Never shown.
        prefix: Prefix of every topic; identifies this device.
        discovery: Home Assistant's discovery prefix; None for no discovery.
        ca: Certificates to trust instead of the system's, in PEM form.
    """

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str
    discovery: str | None = "homeassistant"
    ca: Path | None = None

    def __str__(self) -> str:
        """Return the URL without user and password."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}/{self.prefix}"


def endpoint(text: str) -> Endpoint:
    """Parse HOST:PORT.

    Args:
        text: Such as `localhost:8080`, `:8080` for every address, or `[::1]:8080`.

    Raises:
        UsageError: The text has another form, or the port is above 65535.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT or (":" in host and not bracketed):
        raise UsageError(
            expected="HOST:PORT, such as localhost:8080",
            got=text,
            hint="Write :8080 for every address of this machine.",
        )
    return Endpoint(host=host.strip("[]"), port=int(port))


def listen(where: Endpoint, *, purpose: str) -> socket.socket:
    """Open a listening socket.

    Args:
        where: The address to listen on.
        purpose: The option that needs it, for error messages.

    Returns:
        A socket that accepts connections, so that early clients only wait for the server.

    Raises:
        UsageError: The address belongs to another machine, is in use, or needs a privilege.
    """
    try:
        found = socket.getaddrinfo(
            where.host or _ANY_ADDRESS, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            expected=f"an address of this machine for {purpose}", got=str(where), found=f"{where}: {error.strerror}"
        ) from error
    try:
        # A restart must not wait for connections of the last run in TIME_WAIT.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_WAITING_CLIENTS)
    except OSError as error:
        bound.close()
        raise UsageError(
            expected=f"a free address for {purpose}",
            got=str(where),
            found=f"{where}: {error.strerror}",
            hint="Choose another port.",
        ) from error
    return bound


@dataclass(frozen=True, slots=True, kw_only=True)
class _MqttUrl:
    """The decoded parts of an MQTT URL, before any check."""

    text: str = field(repr=False)
    scheme: str = ""
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    prefix: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> _MqttUrl:
        """Split a URL; one that cannot be split has neither scheme nor host."""
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            return cls(text=text)
        return cls(
            text=text,
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=port,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            prefix=unquote(parts.path).strip("/"),
            options={name: values[-1] for name, values in parse_qs(parts.query).items()},
        )

    @property
    def unknown_options(self) -> list[str]:
        return sorted(set(self.options) - _MQTT_OPTIONS)


@dataclass(frozen=True, slots=True)
class _Check:
    """A condition on an MQTT URL, and the error for a URL that breaks it."""

    is_met: Callable[[_MqttUrl], bool]
    error: Callable[[_MqttUrl], UsageError]


# In order. Where user and password may be in the wrong place, the error shows nothing of the URL.
_MQTT_CHECKS = (
    _Check(
        is_met=lambda url: "#" not in url.text,
        error=lambda _url: UsageError(
            expected="an MQTT URL without #",
            found="one with it",
            hint="Write %23 for a # in a password. A prefix has no wildcards.",
        ),
    ),
    _Check(
        is_met=lambda url: not has_late_at(url.text),
        error=lambda _url: UsageError(
            expected="an MQTT URL without @ in prefix and options",
            found="one with it",
            hint=_ENCODE,
        ),
    ),
    _Check(
        is_met=lambda url: url.scheme in _MQTT_PORTS and bool(url.host) and url.port != 0,
        error=lambda url: UsageError(
            expected=_MQTT_FORM,
            found=public_address(url.text),
            hint="Percent-encode special characters in a password.",
        ),
    ),
    _Check(
        is_met=lambda url: not re.search(r"[+#\x00-\x1f]|^\$", url.prefix),
        error=lambda url: UsageError(
            expected="an MQTT prefix without +, #, control characters or a leading $", got=url.prefix
        ),
    ),
    _Check(
        is_met=lambda url: not url.unknown_options,
        error=lambda url: UsageError(expected="MQTT options discovery or ca", got=url.unknown_options),
    ),
)


def broker(url: str, environment: Mapping[str, str] = os.environ) -> Broker:
    """Parse an MQTT URL.

    Args:
        url: `mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]`, with `?discovery=off` or another
            discovery prefix, and `?ca=FILE`. The prefix defaults to `edgevid/HOSTNAME`.
        environment: `EDGEVID_MQTT_USERNAME`, and `EDGEVID_MQTT_PASSWORD_FILE` or
            `EDGEVID_MQTT_PASSWORD`, apply where the URL has no user or password. Unlike the
            command line, they do not show in the list of processes.

    Raises:
        UsageError: The URL has another form, or a file that it names cannot be read.
    """
    parts = _MqttUrl.parse(url)
    for check in _MQTT_CHECKS:
        if not check.is_met(parts):
            raise check.error(parts)
    discovery = parts.options.get("discovery", "homeassistant")
    return Broker(
        host=parts.host,
        port=parts.port or _MQTT_PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=parts.username or environment.get("EDGEVID_MQTT_USERNAME"),
        password=parts.password or _password(environment),
        prefix=parts.prefix or f"edgevid/{_topic_level(socket.gethostname())}",
        discovery=None if discovery == "off" else discovery,
        ca=_readable(Path(parts.options["ca"])) if "ca" in parts.options else None,
    )


def webhook_url(url: str) -> str:
    """Return the URL to post to, unchanged, after a check.

    Args:
        url: `http://` or `https://`.

    Raises:
        UsageError: The URL has another scheme, no host, an @ after the host, or a character that is
            not printable ASCII.
    """
    # Before any parser, which would take a part of the password for the host.
    UsageError.unless(
        not has_late_at(url),
        expected="a webhook URL without @ after the host",
        found="one with it",
        hint=f"{_ENCODE} Write %40 for an @ in the path.",
    )
    try:
        parts = urlsplit(url)
        is_legal = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_legal = False
    # HTTP has no other characters; a client library rejects them and shows the URL.
    if not is_legal or not re.fullmatch(r"[!-~]+", url):
        raise UsageError(expected="http[s]://HOST[:PORT]/PATH", found=public_address(url))
    return url


def _topic_level(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text) or "device"


def _password(environment: Mapping[str, str]) -> str | None:
    file = environment.get("EDGEVID_MQTT_PASSWORD_FILE")
    if file:
        try:
            return _readable(Path(file)).read_text(encoding="utf-8").rstrip("\n")
        except UnicodeDecodeError:
            raise UsageError(expected="a password in UTF-8", found=f"other bytes in {file}", path=file) from None
    return environment.get("EDGEVID_MQTT_PASSWORD")


def _readable(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(expected="a file that can be read", found=f"{path}: {error.strerror}", path=path) from error
    return path
