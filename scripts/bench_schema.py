"""Write the JSON Schema of a benchmark's result, from its dataclasses.

    python scripts/bench_schema.py

Programs in other languages validate with the schema; edgevid itself reads by the dataclasses.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from edgevid.bench.result import FORMAT, VERSION, Result
from edgevid.schema import is_optional

OUT = Path(__file__).resolve().parents[1] / "edgevid/data/edgevid-bench.schema.json"
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def as_text() -> str:
    """Return the schema with a final newline."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{FORMAT}, version {VERSION}",
        **_schema(Result),
    }
    schema["properties"]["version"] = {"const": VERSION}
    return json.dumps(schema, indent=1) + "\n"


def _schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _object(kind)
    if origin in (types.UnionType, typing.Union):
        # A field that may be None is left out.
        return _schema(next(each for each in arguments if each is not type(None)))
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0])}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1])}
    if origin is Literal:
        return {"enum": list(arguments)}
    return {"type": _SCALARS[kind]}


def _object(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    return {
        "type": "object",
        "properties": {field.name: _schema(hints[field.name]) for field in fields},
        "required": [field.name for field in fields if not is_optional(field)],
        "additionalProperties": False,
    }


if __name__ == "__main__":
    OUT.write_text(as_text())
