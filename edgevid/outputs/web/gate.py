"""Who may see the live page: this machine, or whoever has the token; and no web page of a stranger in anyone's browser.

Where the page can be reached from elsewhere a token is needed. It is given once in the address, `/?token=...`; the browser then gets a cookie
that no script can read and no other site can use, and the address loses the token. A program may send it as a bearer token.

Every request must name this machine in its Host header (`edgevid.outputs.host_check`), and a socket must be opened by this very page (Origin).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from edgevid.errors import UsageError
from edgevid.outputs.addresses import Endpoint
from edgevid.outputs.host_check import may_ask, same_origin

TOKEN_VARIABLE = "EDGEVID_PAGE_TOKEN"  # where it is, not what it is
_LEAST_TOKEN = 16
_COOKIE_DAYS = 180


@dataclass(frozen=True, slots=True)
class Admission:
    """What to do with a request.

    Attributes:
        status: 200 to serve it, 303 to send it to `/` with the cookie, 401 without a token, 403 of another page's, 421 in another's name.
        headers: To send with the answer.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class Gate:
    """The rules of one page.

    Args:
        endpoint: Where it listens.
        token: What a visitor has to know; None on a local endpoint.
    """

    def __init__(self, endpoint: Endpoint, token: str | None) -> None:
        self._endpoint = endpoint
        self._token = token
        self._cookie = f"edgevid_{endpoint.port}"
        self._pass = "" if token is None else hmac.new(token.encode(), b"edgevid live page", hashlib.sha256).hexdigest()

    def judge(self, target: str, headers: Mapping[str, str]) -> Admission:
        """Judge one request.

        Args:
            target: Path and query.
            headers: Of the request, by names in any case.

        Returns:
            What to do with it.
        """
        host = headers.get("Host")
        if not may_ask(host, self._endpoint):
            return Admission(421)
        if not same_origin(headers.get("Origin"), host):
            return Admission(403)
        if self._token is None or self._has_pass(headers):
            return Admission(200)
        offered = parse_qs(urlsplit(target).query).get("token", [""])[-1]
        if not _equal(offered, self._token):
            return Admission(401)
        cookie = f"{self._cookie}={self._pass}; HttpOnly; SameSite=Strict; Path=/; Max-Age={_COOKIE_DAYS * 86_400}"
        return Admission(303, {"Location": "/", "Set-Cookie": cookie})

    def _has_pass(self, headers: Mapping[str, str]) -> bool:
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _equal(bearer.strip(), self._token or ""):
            return True
        try:
            morsel = SimpleCookie(headers.get("Cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and _equal(morsel.value, self._pass)


def choose_token(endpoint: Endpoint, environment: Mapping[str, str]) -> tuple[str | None, bool]:
    """Find the token for a page.

    Args:
        endpoint: Where it listens.
        environment: `EDGEVID_PAGE_TOKEN` is taken, where it is set, on a local endpoint too.

    Returns:
        The token, None where none is needed; and whether it was made up here, so that someone has to be told.

    Raises:
        UsageError: The token is too short to be a secret.
    """
    given = environment.get(TOKEN_VARIABLE)
    if given is not None:
        if len(given) < _LEAST_TOKEN:
            raise UsageError(
                expected=f"{TOKEN_VARIABLE} of at least {_LEAST_TOKEN} characters",
                got=len(given),
                found=f"{len(given)}",
            )
        return given, False
    return (None, False) if endpoint.is_local else (secrets.token_urlsafe(24), True)


def _equal(offered: str, wanted: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return hmac.compare_digest(offered.encode(), wanted.encode())
