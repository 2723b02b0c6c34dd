"""Frozen dataclasses to JSON and back, as strictly as a contract wants it: no field too many, none missing, no type guessed.

A field declared with `optional` is left out where it has its default, and has another value where it is there: one content, one JSON.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, get_args

from edgevid.errors import ContractError, ManifestInvalid

Built = typing.TypeVar("Built")
_OPTIONAL = "optional"


def optional(default: Any) -> Any:
    """Declare a field that JSON leaves out where it has its default.

    Args:
        default: Of an immutable type.

    Returns:
        The field of a dataclass.
    """
    return dataclasses.field(default=default, metadata={_OPTIONAL: True})


def to_json(value: object) -> Any:
    """Turn a manifest, or any part of it, into what `json.dumps` takes.

    Args:
        value: A dataclass, mapping, tuple or scalar.

    Returns:
        The same in dicts, lists and scalars.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value) if not _left_out(item, getattr(value, item.name))}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def build(kind: type[Built], data: object, where: str) -> Built:
    """Read one frozen dataclass from parsed JSON, as strictly as a manifest.

    Args:
        kind: The dataclass.
        data: What `json.loads` gave.
        where: What it is, for messages.

    Returns:
        An instance.

    Raises:
        ManifestInvalid: A field is missing, unknown, of a wrong type or has an illegal value.
    """
    try:
        return typing.cast("Built", _build(kind, data, where))
    except ContractError as error:
        raise ManifestInvalid(f"Expected a legal {where}. {error}", expected=error.expected, got=error.got) from error


def _build(kind: Any, data: object, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, data, where)
    if origin is tuple:
        items = _typed(list, data, where)
        kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
        refuse_unless(len(kinds) == len(items), f"{len(kinds)} items in {where}", len(items))
        return tuple(_build(each, item, f"{where}[{index}]") for index, (each, item) in enumerate(zip(kinds, items, strict=True)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return types.MappingProxyType({key: _build(arguments[1], item, f"{where}.{key}") for key, item in _typed(dict, data, where).items()})
    if origin is Literal:
        refuse_unless(isinstance(data, str) and data in arguments, f"{where}, one of {', '.join(arguments)}", data)
        return data
    if kind is float:
        return _number(data, where)
    return _typed(kind, data, where)


def _build_dataclass(kind: Any, data: object, where: str) -> Any:
    given = _typed(dict, data, where)
    hints = typing.get_type_hints(kind)
    items = {item.name: item for item in dataclasses.fields(kind)}
    required = {name for name, item in items.items() if _OPTIONAL not in item.metadata}
    refuse_unless(required <= set(given) <= set(items), f"exactly the fields {', '.join(sorted(required))} in {where}", ", ".join(sorted(given)))
    values = {name: _build(hints[name], given[name], f"{where}.{name}") for name in given}
    for name, value in values.items():
        refuse_unless(not _left_out(items[name], value), f"{where}.{name} to be left out where it says nothing", value)
    return kind(**values)


def _left_out(item: dataclasses.Field[Any], value: object) -> bool:
    return _OPTIONAL in item.metadata and value == item.default


def _number(data: object, where: str) -> float:
    number = data if type(data) is int or type(data) is float else math.nan
    refuse_unless(abs(number) <= sys.float_info.max, f"{where} to be a finite number", data)
    return float(number)


def _typed(kind: type, data: object, where: str) -> Any:
    refuse_unless(type(data) is kind, f"{where} of type {kind.__name__}", type(data).__name__)
    return data


def refuse_unless(legal: bool, expected: str, got: object) -> None:
    """Refuse a value.

    Args:
        legal: Whether it may stay.
        expected: What is legal, for the message.
        got: The value.

    Raises:
        ManifestInvalid: It is not legal.
    """
    if not legal:
        raise ManifestInvalid(f"Expected {expected}, got {got!r}.", expected=expected, got=got)
