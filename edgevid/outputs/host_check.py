"""Who may ask a server of ours: a check of the Host header, against web pages that reach for devices at home.

A page on the web can give its own name the address of this machine (DNS rebinding); the browser then lets it read what it finds here. It
cannot forge the Host header, which then holds that page's name. A name that a stranger can register is never answered.

Source: https://en.wikipedia.org/wiki/DNS_rebinding
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from edgevid.outputs.addresses import Endpoint

# Names that no one can register on the internet: RFC 6761, RFC 6762 and RFC 8375, and the suffix that home routers hand out.
_LOCAL_SUFFIXES = (".local", ".localhost", ".home.arpa", ".internal", ".lan")


def may_ask(host_header: str | None, endpoint: Endpoint) -> bool:
    """Say whether a request with this Host header is meant for us.

    Args:
        host_header: As the client sent it.
        endpoint: Where the server listens.

    Returns:
        On a local endpoint: only for names of the loopback. Else also for addresses, this machine's name, and names that no one can register.
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


def same_origin(origin: str | None, host_header: str | None) -> bool:
    """Say whether a request comes from a page of this very server.

    Args:
        origin: The Origin header; a program that is no browser sends none.
        host_header: The Host header.

    Returns:
        True where there is no origin, or it names the same host and port.
    """
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == (host_header or "").lower()
    except ValueError:
        return False


def host_name(host_header: str | None) -> str | None:
    """Take the port off a Host header.

    Args:
        host_header: As `pi.local:8080` or `[::1]:8080`.

    Returns:
        The name in lower case, an IPv6 address without brackets; None where it is none.
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
