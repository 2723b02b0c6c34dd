"""Rendering of the templates in `firmware_configs`.

A placeholder is `{{name}}`. Each placeholder must have a value, and each value a placeholder.
"""

from __future__ import annotations

import json
import math
import re
import shlex

from edgevid.boards_and_cameras import folder
from edgevid.errors import DeploymentError

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_NOT_ASCII = re.compile(r"[^ -~]")


def fill(name: str, **values: object) -> str:
    """Fill in a template.

    Args:
        name: Path below `firmware_configs`.
        **values: Value of each placeholder. The caller quotes it for the format of the file. A line that
            consists of placeholders with empty values is removed.

    Returns:
        The text.

    Raises:
        DeploymentError: Placeholders and values differ, so the data and the program have different versions.
    """
    text = (folder() / name).read_text(encoding="utf-8")
    placeholders = set(_PLACEHOLDER.findall(text))
    if placeholders != set(values):
        raise DeploymentError(
            expected=f"the placeholders {sorted(values)} in {name}",
            found=str(sorted(placeholders)),
            hint="Install edgevid again.",
            path=name,
        )
    lines = (_fill_line(line, values) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line is not None)


def yaml(value: object) -> str:
    """Quote a text, number or sequence for YAML in ASCII, as JSON except for characters beyond the BMP."""
    # JSON would write those as two surrogates, which YAML reads as two broken characters. YAML has \U.
    # Source: YAML 1.1 and 1.2, section 5.7, escaped characters.
    return _NOT_ASCII.sub(_yaml_escape, json.dumps(value, ensure_ascii=False))


def toml(value: object, where: str) -> str:
    """Write a value of a TOML file again as TOML.

    Args:
        value: A text, number or boolean, or an array of them.
        where: Description of the value, for the error message.

    Raises:
        DeploymentError: The value is a date, a time, a table or not finite.
    """
    if isinstance(value, list):
        return f"[{', '.join(toml(each, where) for each in value)}]"
    is_plain = isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))
    if not is_plain:
        kind = "a table" if isinstance(value, dict) else str(value)
        raise DeploymentError(expected=f"a text, a number, true or false for {where}", found=kind)
    # Of the characters that TOML wants escaped in a text, JSON leaves this one alone.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def keyfile(text: str) -> str:
    """Quote a text for a keyfile of GLib.

    Source: https://docs.gtk.org/glib/method.KeyFile.get_string.html: backslashes, and spaces at the start.
    """
    escaped = text.replace("\\", "\\\\")
    spaces = len(escaped) - len(escaped.lstrip(" "))
    return "\\s" * spaces + escaped[spaces:]


def shell(text: str) -> str:
    """Quote a text for sh."""
    return shlex.quote(text)


def _yaml_escape(character: re.Match[str]) -> str:
    code = ord(character[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _fill_line(line: str, values: dict[str, object]) -> str | None:
    """Fill in one line; None if it only had placeholders and all values are empty."""
    filled = _PLACEHOLDER.sub(lambda placeholder: str(values[placeholder[1]]), line)
    return None if not filled.strip() and _PLACEHOLDER.search(line) else filled.rstrip("\n")
