"""The templates of `firmware_configs`, filled in. A place is `{{name}}`; every place has a value and every value a place."""

from __future__ import annotations

import json
import re
import shlex

from edgevid.errors import DeploymentError
from edgevid.firmware import folder

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def fill(name: str, **values: object) -> str:
    """Fill a template in.

    Args:
        name: Path below `firmware_configs`.
        **values: By the names of its places; written as they are, so quoted beforehand for what the file is. A line that is left empty
            goes.

    Returns:
        The text.

    Raises:
        DeploymentError: A place has no value, or a value no place: the data and the program are not of one version.
    """
    text = (folder() / name).read_text(encoding="utf-8")
    places = set(_PLACE.findall(text))
    if places != set(values):
        raise DeploymentError(
            expected=f"the places {sorted(values)} in {name}",
            found=f"{sorted(places)}",
            hint="Install edgevid again.",
            path=name,
        )
    lines = (_filled(line, values) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line is not None)


def yaml(value: object) -> str:
    """Quote a value for YAML.

    Args:
        value: Text, number, or a sequence of them.

    Returns:
        JSON, which YAML 1.2 contains.
    """
    return json.dumps(value)


def shell(text: str) -> str:
    """Quote a text for sh."""
    return shlex.quote(text)


def _filled(line: str, values: dict[str, object]) -> str | None:
    """A line with its values; None for one that was a place only and has an empty value."""
    filled = _PLACE.sub(lambda place: str(values[place[1]]), line)
    return None if not filled.strip() and _PLACE.search(line) else filled.rstrip("\n")
