"""Checks of the Host and Origin headers, against web pages that attack devices on a home network.

A web page can point its own name at this machine's address (DNS rebinding); the browser then lets
it read the answers. It cannot forge the Host header, which still holds that page's name. The
servers therefore answer only for names that a stranger cannot register.

Source: https://en.wikipedia.org/wiki/DNS_rebinding
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from edgevid.outputs.addresses import Endpoint

# Suffixes that nobody can register [RFC 6761, RFC 6762, RFC 8375], and the one of home routers.
_LOCAL_SUFFIXES = (".local", ".localhost", ".home.arpa", ".internal", ".lan")


def is_allowed_host(host_header: str | None, endpoint: Endpoint) -> bool:
    """Return whether a request with this Host header is meant for this server.

    Args:
        host_header: As the client sent it; None if it sent none.
        endpoint: The address that the server listens on.

    Returns:
        For a local endpoint, True only for names of the loopback interface. Otherwise True also for
        IP addresses, this machine's name, and names that nobody can register.
    """
    name = host_name(host_header)
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost") or _is_address(name, loopback=True):
        return True
    if endpoint.is_local:
        return False
    own = socket.gethostname().lower()
    return (
        name in (own, endpoint.host.lower())
        or "." not in name
        or name.endswith(_LOCAL_SUFFIXES)
        or _is_address(name, loopback=False)
    )


def is_same_origin(origin: str | None, host_header: str | None) -> bool:
    """Return whether a request comes from a page of this server.

    Args:
        origin: The Origin header; None from a program that is not a browser.
        host_header: The Host header.

    Returns:
        True without an origin, or if it names the same host and port.
    """
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == (host_header or "").lower()
    except ValueError:
        return False


def host_name(host_header: str | None) -> str | None:
    """Return the name in a Host header, without the port.

    Args:
        host_header: Such as `pi.local:8080` or `[::1]:8080`.

    Returns:
        The name in lower case, an IPv6 address without brackets; None if the header is malformed.
    """
    try:
        return urlsplit(f"//{host_header}").hostname if host_header else None
    except ValueError:
        return None


def _is_address(name: str, *, loopback: bool) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not loopback
