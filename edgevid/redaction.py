"""The part of an address that is known to be public, for logs, messages and names.

A password may be anywhere in an address, and one that was not escaped ends up where a parser sees a
host or a path. So nothing is cut out. Only what has the exact form of a scheme, a host and a port
is kept.
"""

from __future__ import annotations

import re

_SCHEMES = ("http", "https", "mqtt", "mqtts", "rtmp", "rtsp", "rtsps", "tcp", "udp")
_PUBLIC = re.compile(
    rf"(?P<scheme>{'|'.join(_SCHEMES)})://"
    # User and password, up to the last @ before the first character that may end them.
    r"(?:[^/?#\\\s]*@)?"
    r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    # No @ behind the host: the password may contain a slash, and the host stand behind that.
    r"(?:[/?#][^@\\\s]*)?",
    re.IGNORECASE,
)
# Also a mistyped one, so that a message can show it.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+-]{0,9})://")
_HIDDEN = "(hidden)"
# What ends user, password and host of an address, and an @ after it.
_LATE_AT = re.compile(r"[/?#].*@", re.DOTALL)


def public_address(text: str) -> str:
    """Return scheme, host and port of an address.

    Args:
        text: An address as a user wrote it, or any other text.

    Returns:
        Such as `rtsp://camera:554`. The host is `(hidden)` if it cannot be told from a password.
        Of a text that is no address nothing is returned but "(not a URL)".
    """
    public = _PUBLIC.fullmatch(text)
    if public:
        port = f":{public['port']}" if public["port"] else ""
        return f"{public['scheme'].lower()}://{public['host']}{port}"
    scheme = _SCHEME.match(text)
    return f"{scheme[1].lower()}://{_HIDDEN}" if scheme else "(not a URL)"


def has_late_at(text: str) -> bool:
    """Return whether an address has an @ after its host.

    Its password may contain a slash. In `https://me:12/34@host/` every parser sees the host `me`.
    """
    return bool(_LATE_AT.search(text.partition("://")[2]))
