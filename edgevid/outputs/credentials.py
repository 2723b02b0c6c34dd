"""Checks of tokens and passwords before a run. No message shows any of one."""

from __future__ import annotations

import logging
import re

from edgevid.errors import UsageError
from edgevid.outputs.addresses import Endpoint

_log = logging.getLogger(__name__)


def check_token(token: str | None, *, variable: str) -> None:
    """Reject a token that an HTTP header cannot carry.

    Args:
        token: The token, if there is one.
        variable: The environment variable that sets it.

    Raises:
        UsageError: It contains a space, a line break or another character that is no printable ASCII.
    """
    if token and not re.fullmatch(r"[!-~]+", token):
        raise UsageError(
            expected=f"{variable} of printable ASCII characters without spaces",
            found="a space or line break at its end" if token.rstrip() != token else "other characters",
            hint="Remove them.",
        )


def check_login(*texts: str | None, purpose: str) -> None:
    """Reject a user name or password with a control character, such as the line break of a file.

    Args:
        texts: User name and password.
        purpose: The option that needs them.

    Raises:
        UsageError: One of them contains such a character.
    """
    if any(re.search(r"[\x00-\x1f\x7f]", text) for text in texts if text):
        raise UsageError(
            expected=f"a user name and password without control characters for {purpose}",
            found="a line break or another one",
            hint="Remove it.",
        )


def warn_if_readable(*, output: str, host: str, address: str, encrypted: str) -> None:
    """Log that credentials are sent without encryption, unless they stay on this machine.

    Args:
        output: Name of the output.
        host: The host that receives them.
        address: The host's address, without secrets.
        encrypted: The scheme to use instead.
    """
    if not Endpoint(host=host, port=0).is_local:
        _log.warning(
            "edgevid: %s: the password or token goes to %s unencrypted, where others on the network can read it. "
            "Use %s:// if the server has it.",
            output,
            address,
            encrypted,
        )
