"""Addresses of cameras: `kind:where?option=value&...`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from edgevid.errors import UsageError
from edgevid.redaction import has_late_at

# The schemes of network streams.
SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "tcp")
Value = int | float | str | bool | tuple[int, int]


@dataclass(frozen=True, slots=True)
class CameraOption:
    """One option of a camera.

    Attributes:
        read: Converts the option's text, or raises ValueError.
        legal: Describes the legal values in messages.
    """

    read: Callable[[str], Value]
    legal: str


def check_password(url: str) -> None:
    """Reject an address whose host cannot be told from a part of its password.

    Args:
        url: The address of a network stream. With an @ before the host, one may follow in the path.

    Raises:
        UsageError: An @ comes after the host only.
    """
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    UsageError.unless(
        "@" in authority or not has_late_at(url),
        expected="an address without @ after the host",
        found="one with it",
        hint="Percent-encode special characters in a password, such as %2F for a slash. "
        "If the path has an @, write one before the host too: SCHEME://@HOST/PATH.",
    )


def split_options(text: str, legal: Mapping[str, CameraOption]) -> tuple[str, dict[str, Value]]:
    """Split the options off `where?option=value&...`.

    Args:
        text: The part of the address after the colon.
        legal: The options of this kind of camera, by name.

    Returns:
        The part before the question mark, and the options' values.

    Raises:
        UsageError: An option is unknown, occurs twice, or has an illegal value.
    """
    where, _, query = text.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    names = [name for name, _ in pairs]
    if not set(names) <= set(legal) or len(set(names)) < len(names):
        raise UsageError(expected=f"camera options, each once, of {', '.join(legal)}", got=query)
    return where, {name: _value(name, value, legal[name]) for name, value in pairs}


def _value(name: str, text: str, option: CameraOption) -> Value:
    try:
        return option.read(text)
    except ValueError:
        raise UsageError(expected=f"{name}={option.legal}", got=text) from None


def _read_width_by_height(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if not match:
        raise ValueError(text)
    return int(match[1]), int(match[2])


def _read_zero_or_one(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def _read_number_above_0(text: str) -> float:
    value = float(text)
    # Written so that NaN is rejected as well.
    if not 0 < value < 1e9:
        raise ValueError(text)
    return value


SIZE = CameraOption(_read_width_by_height, "WIDTHxHEIGHT")
SWITCH = CameraOption(_read_zero_or_one, "0 or 1")
POSITIVE = CameraOption(_read_number_above_0, "a number above 0")
