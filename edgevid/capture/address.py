"""What a person writes for a camera: `kind:where?option=value&...`, and stream addresses whose passwords never leave this file but to be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edgevid.errors import UsageError

Value = int | float | str | bool | tuple[int, int]


def size_px(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT.

    Args:
        text: As 640x480.

    Returns:
        (width, height) in pixels.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if not found:
        raise ValueError(text)
    return int(found[1]), int(found[2])


def switch(text: str) -> bool:
    """Read 0 or 1.

    Args:
        text: One of the two.

    Returns:
        What it means.

    Raises:
        ValueError: It is neither.
    """
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def positive(text: str) -> float:
    """Read a number above 0.

    Args:
        text: Decimal.

    Returns:
        The number.

    Raises:
        ValueError: It is none.
    """
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError(text)
    return value


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a camera.

    Attributes:
        read: Turns its text into a value, or raises ValueError.
        legal: What is legal, for people.
    """

    read: Callable[[str], Value]
    legal: str


SIZE = Option(size_px, "WIDTHxHEIGHT")
SWITCH = Option(switch, "0 or 1")
POSITIVE = Option(positive, "a number above 0")


def split_options(text: str, legal: Mapping[str, Option]) -> tuple[str, dict[str, Value]]:
    """Take the options off `where?option=value&...`.

    Args:
        text: What stands behind the colon.
        legal: The kind's options.

    Returns:
        Where, and the options' values.

    Raises:
        UsageError: An option is unknown, twice there, or has an illegal value.
    """
    where, _, query = text.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    names = [name for name, _ in pairs]
    if not set(names) <= set(legal) or len(set(names)) < len(names):
        raise UsageError(expected=f"camera options, each once, of {', '.join(legal)}", got=query)
    return where, {name: _value(name, value, legal[name]) for name, value in pairs}


def _value(name: str, text: str, option: Option) -> Value:
    try:
        return option.read(text)
    except ValueError:
        raise UsageError(expected=f"{name}={option.legal}", got=text) from None


def public_address(url: str) -> str:
    """Give an address as it may be shown: without user, password, query and fragment, each of which may be a secret.

    Args:
        url: As the user wrote it.

    Returns:
        Scheme, host, port and path.
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"
