"""What a person writes to say where decisions go: URLs and HOST:PORT. Secrets never appear in messages, logs or `repr`."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from edgevid.errors import UsageError

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MQTT_FORM = "mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]"
_MAX_PORT = 65_535
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a server of ours listens.

    Attributes:
        host: Name or address; empty for every address of this machine.
        port: 0 for any that is free.
    """

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    def __str__(self) -> str:
        """HOST:PORT, with brackets around an IPv6 address."""
        host = self.host or "0.0.0.0"  # shown, not bound
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """An MQTT broker and what is published there.

    Attributes:
        host: Name or address.
        port: TCP port.
        tls: Whether the connection is encrypted and the broker's certificate checked.
        username: None for no log-in.
        password: Never shown.
        prefix: What every topic begins with; tells this device from others.
        discovery: Home Assistant's discovery prefix; None for no discovery.
        ca: Certificates to trust instead of the system's.
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
        """The URL without user and password."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}/{self.prefix}"


def without_secrets(url: str) -> str:
    """Take user, password and query out of a URL.

    Args:
        url: Any text; what is no URL is not shown at all.

    Returns:
        What may be logged.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{port}{parts.path}" if parts.scheme and host else "(not a URL)"


def endpoint(text: str) -> Endpoint:
    """Read HOST:PORT.

    Args:
        text: As `localhost:8080`, `:8080` for every address, `[::1]:8080`.

    Returns:
        Host and port.

    Raises:
        UsageError: It is none.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT or (":" in host and not bracketed):
        raise UsageError(
            expected="HOST:PORT, as localhost:8080", got=text, hint="Write :8080 for every address of this machine."
        )
    return Endpoint(host=host.strip("[]"), port=int(port))


def listen(where: Endpoint, *, purpose: str) -> socket.socket:
    """Take a place to listen at.

    Args:
        where: See `Endpoint`.
        purpose: What it is for, for the error message.

    Returns:
        A socket that listens already, so that who comes before its server only waits.

    Raises:
        UsageError: The address is not this machine's, is taken, or may not be used.
    """
    try:
        found = socket.getaddrinfo(
            where.host or "0.0.0.0", where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )  # asked for
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            expected=f"an address of this machine for {purpose}", got=str(where), found=f"{where}: {error.strerror}"
        ) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(64)
    except OSError as error:
        bound.close()
        raise UsageError(
            expected=f"a free address for {purpose}",
            got=str(where),
            found=f"{where}: {error.strerror}",
            hint="Choose another port.",
        ) from error
    return bound


def broker(url: str, environment: Mapping[str, str] = os.environ) -> Broker:
    """Read an MQTT URL; user and password may come from the environment, where no list of processes shows them.

    Args:
        url: `mqtt[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]`, with `?discovery=off` or another discovery prefix, and `?ca=FILE`.
        environment: `EDGEVID_MQTT_USERNAME`, `EDGEVID_MQTT_PASSWORD` or `EDGEVID_MQTT_PASSWORD_FILE` stand in for what the URL does not say.

    Returns:
        The broker. The prefix is `edgevid/HOSTNAME` where the URL has none.

    Raises:
        UsageError: It is none, or a file that it names cannot be read.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(expected=f"{_MQTT_FORM}", found=f"one with {error}") from error
    if "#" in url:
        raise UsageError(
            expected="an MQTT URL without #",
            found=f"one in {without_secrets(url)}",
            hint="In a password write %23; a prefix has no wildcards.",
        )
    if parts.scheme not in _MQTT_PORTS or not parts.hostname or port == 0:
        raise UsageError(expected=f"{_MQTT_FORM}", found=f"{without_secrets(url)}")
    prefix = unquote(parts.path).strip("/") or f"edgevid/{_topic_level(socket.gethostname())}"
    if re.search(r"[+#\x00-\x1f]|^\$", prefix):
        raise UsageError(expected="an MQTT prefix without +, #, control characters or a leading $", got=prefix)
    options = _options(parts.query)
    discovery = options.get("discovery", "homeassistant")
    return Broker(
        host=parts.hostname,
        port=port or _MQTT_PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=unquote(parts.username) if parts.username else environment.get("EDGEVID_MQTT_USERNAME"),
        password=unquote(parts.password) if parts.password else _password(environment),
        prefix=prefix,
        discovery=None if discovery == "off" else discovery,
        ca=_readable(Path(options["ca"])) if "ca" in options else None,
    )


def webhook_url(url: str) -> str:
    """Check a URL to post to.

    Args:
        url: `http://` or `https://`.

    Returns:
        The same.

    Raises:
        UsageError: It is none.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise UsageError(expected="http[s]://HOST[:PORT]/PATH", found=f"{without_secrets(url)}")
    return url


def _topic_level(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text) or "device"


def _options(query: str) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    unknown = sorted(set(options) - {"discovery", "ca"})
    if unknown:
        raise UsageError(expected="MQTT options discovery or ca", got=unknown, found=f"{', '.join(unknown)}")
    return options


def _password(environment: Mapping[str, str]) -> str | None:
    file = environment.get("EDGEVID_MQTT_PASSWORD_FILE")
    if file:
        return _readable(Path(file)).read_text().rstrip("\n")
    return environment.get("EDGEVID_MQTT_PASSWORD")


def _readable(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(expected="a file that can be read", found=f"{path}: {error.strerror}", path=path) from error
    return path
