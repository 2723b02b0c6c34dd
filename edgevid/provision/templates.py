"""Rendering of the templates in `firmware_configs`.

A placeholder is `{{name}}`. Each placeholder must have a value, and each value a placeholder.
"""

from __future__ import annotations

import json
import re
import shlex

from edgevid.boards_and_cameras import folder
from edgevid.errors import DeploymentError

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


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
    """Quote a text, number or sequence for YAML 1.2, of which JSON is a subset."""
    return json.dumps(value)


def shell(text: str) -> str:
    """Quote a text for sh."""
    return shlex.quote(text)


def _fill_line(line: str, values: dict[str, object]) -> str | None:
    """Fill in one line; None if it only had placeholders and all values are empty."""
    filled = _PLACEHOLDER.sub(lambda placeholder: str(values[placeholder[1]]), line)
    return None if not filled.strip() and _PLACEHOLDER.search(line) else filled.rstrip("\n")
