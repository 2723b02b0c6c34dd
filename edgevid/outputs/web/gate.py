"""Access control of the live page.

A page that other machines can reach needs a token. The visitor passes it once in the address,
`/?token=...`; the browser then gets a cookie that no script can read and no other site can use, and
is sent to an address without the token. A program may send it as a bearer token.

Every request must name this machine in its Host header, and a socket must be opened by this very
page (Origin header); see `edgevid.outputs.host_check`.
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
from edgevid.outputs.credentials import check_token
from edgevid.outputs.host_check import is_allowed_host, is_same_origin

TOKEN_VARIABLE = "EDGEVID_PAGE_TOKEN"  # the variable's name, not a secret
_LEAST_TOKEN = 16
_TOKEN_BYTES = 24
_COOKIE_DAYS = 180


@dataclass(frozen=True, slots=True)
class Admission:
    """The decision about a request.

    Attributes:
        status: 200 to serve it, 303 to redirect to `/` with the cookie, 401 without a valid token,
            403 for a request from another site's page, 421 for another host name.
        headers: Headers for the answer.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class Gate:
    """The access rules of one page.

    Args:
        endpoint: The address that the page listens on.
        token: The token that visitors need; None for a local endpoint.
    """

    def __init__(self, endpoint: Endpoint, token: str | None) -> None:
        self._endpoint = endpoint
        self._token = token
        # Cookies ignore the port: its name keeps two pages on one machine apart.
        self._cookie = f"edgevid_{endpoint.port}"
        # The cookie holds a hash, so that reading it does not reveal the token.
        self._pass = "" if token is None else hmac.new(token.encode(), b"edgevid live page", hashlib.sha256).hexdigest()

    def judge(self, target: str, headers: Mapping[str, str]) -> Admission:
        """Decide about one request.

        Args:
            target: Path and query.
            headers: Headers of the request; a mapping that ignores case.
        """
        host = headers.get("Host")
        if not is_allowed_host(host, self._endpoint):
            return Admission(421)
        if not is_same_origin(headers.get("Origin"), host):
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
    """Return the token of a page, and whether it was generated and has to be shown to the user.

    Args:
        endpoint: The address that the page listens on.
        environment: `EDGEVID_PAGE_TOKEN` is used if set, also for a local endpoint.

    Returns:
        (token, generated); the token is None if none is needed.

    Raises:
        UsageError: The token is too short to be a secret, or cannot be sent in a header.
    """
    token = environment.get(TOKEN_VARIABLE)
    if token is not None:
        check_token(token, variable=TOKEN_VARIABLE)
        if len(token) < _LEAST_TOKEN:
            raise UsageError(expected=f"{TOKEN_VARIABLE} of at least {_LEAST_TOKEN} characters", got=len(token))
        return token, False
    return (None, False) if endpoint.is_local else (secrets.token_urlsafe(_TOKEN_BYTES), True)


def _equal(offered: str, wanted: str) -> bool:
    """Compare in a time that does not depend on where the texts differ."""
    return hmac.compare_digest(offered.encode(), wanted.encode())
