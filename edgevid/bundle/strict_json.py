"""Reader for the JSON members of a bundle, which rejects what Python accepts beyond RFC 8259."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgevid.errors import ManifestInvalid

# Real manifests and reports nest six levels.
MAX_DEPTH = 32


def read_object(data: bytes, name: str, path: Path) -> dict[str, Any]:
    """Read a JSON object as RFC 8259 defines it, without a name twice and not nested too deeply.

    Args:
        data: The bytes of the member; not trusted.
        name: The member, for messages.
        path: The bundle, for messages.

    Raises:
        ManifestInvalid: If the bytes are no such object.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique_names)
        _check_depth(value)
        # Python parses more than RFC 8259 allows: NaN, numbers beyond a double, unpaired
        # surrogates. These fail here, where Python writes them strictly.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(expected=f"JSON in {name} of {path}", found=str(error), path=path) from error
    if not isinstance(value, dict):
        raise ManifestInvalid(expected=f"a JSON object in {name} of {path}", found=type(value).__name__, path=path)
    return value


def _check_depth(value: object) -> None:
    """Reject a value that recursive code, such as a writer of the report, could not walk."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise ValueError(f"more than {MAX_DEPTH} levels")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice in one object")
    return value
