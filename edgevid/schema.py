"""Frozen dataclasses to JSON, and from JSON or TOML back: no key too many, none missing, no type guessed.

One walk over the types serves both sources; they differ in what they allow. JSON is a contract between programs: every field must be there,
except those declared with `optional`, which must be left out where they have their default, so that one content has one JSON. TOML is written
by people: a field with a default may be left out, a whole number may stand for a number, and a message suggests the nearest legal word.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

from edgevid.errors import ContractError, DeploymentError, EdgevidError, ManifestInvalid, UsageError

Built = TypeVar("Built")
_OPTIONAL = "optional"
_TOML_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
}


def optional(default: Any) -> Any:
    """Declare a field that JSON leaves out where it has its default.

    Args:
        default: Of an immutable type.

    Returns:
        The field of a dataclass.
    """
    return dataclasses.field(default=default, metadata={_OPTIONAL: True})


def to_json(value: object) -> Any:
    """Turn a dataclass into what `json.dumps` takes.

    Args:
        value: A dataclass, mapping, tuple or scalar.

    Returns:
        The same in dicts, lists and scalars.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: to_json(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if not _is_left_out(item, getattr(value, item.name))
        }
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[Built], data: object, where: str) -> Built:
    """Read a dataclass from parsed JSON.

    Args:
        kind: The dataclass.
        data: What `json.loads` returned.
        where: What it is, for messages.

    Returns:
        An instance.

    Raises:
        ManifestInvalid: A field is missing, unknown, of a wrong type or has an illegal value.
    """
    try:
        return cast("Built", _Json().value(kind, data, where))
    except ContractError as error:
        raise ManifestInvalid(f"Expected a legal {where}. {error}", expected=error.expected, got=error.got) from error


def from_toml(kind: type[Built], table: object, where: str) -> Built:
    """Read a dataclass from a TOML table.

    Args:
        kind: The dataclass.
        table: What TOML gave.
        where: The file or table, for messages.

    Returns:
        An instance.

    Raises:
        DeploymentError: A key is unknown, missing, or has a value of a wrong type.
    """
    return cast("Built", _Toml().value(kind, table, where))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.

    Returns:
        Its table.

    Raises:
        UsageError: It is not there or cannot be read.
        DeploymentError: It is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            expected="a TOML file that can be read", found=f"{path}: {error.strerror}", path=path
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeploymentError(expected=f"TOML in {path}", found=str(error), path=path) from error


def legal(value: str, choices: Iterable[str], what: str) -> str:
    """Reject a word that is not listed, and suggest the nearest that is.

    Args:
        value: What was given.
        choices: What is legal.
        what: What it is, for the message, as "a board".

    Returns:
        The value.

    Raises:
        DeploymentError: It is none of the choices.
    """
    known = sorted(choices)
    if value not in known:
        close = difflib.get_close_matches(value, known, n=1)
        raise DeploymentError(
            expected=what, choices=known, got=value, hint=f"Did you mean {close[0]!r}?" if close else ""
        )
    return value


class _Reader:
    """The walk over a type and the data for it. What a source allows is in its subclass."""

    error: type[EdgevidError]

    def value(self, kind: Any, data: object, where: str) -> Any:
        """Read one value of a type."""
        origin, arguments = get_origin(kind), get_args(kind)
        if dataclasses.is_dataclass(kind):
            return self._dataclass(kind, self.typed(dict, data, where), where)
        if origin in (types.UnionType, typing.Union):
            return self.value(next(each for each in arguments if each is not type(None)), data, where)
        if origin is tuple:
            return self._tuple(arguments, self.typed(list, data, where), where)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return types.MappingProxyType(
                {
                    key: self.value(arguments[1], item, f"{where}.{key}")
                    for key, item in self.typed(dict, data, where).items()
                }
            )
        if origin is Literal:
            return self.choice(arguments, data, where)
        return data if kind is Any else self.number(data, where) if kind is float else self.typed(kind, data, where)

    def _dataclass(self, kind: Any, given: dict[str, Any], where: str) -> Any:
        items = {item.name: item for item in dataclasses.fields(kind)}
        self.check_names(given, items, where)
        hints = typing.get_type_hints(kind)
        values = {name: self.value(hints[name], item, self.inside(where, name)) for name, item in given.items()}
        self.check_values(values, items, where)
        return kind(**values)

    def _tuple(self, arguments: tuple[Any, ...], items: list[Any], where: str) -> tuple[Any, ...]:
        kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
        self.error.unless(len(kinds) == len(items), expected=f"{len(kinds)} items in {where}", got=len(items))
        return tuple(
            self.value(each, item, f"{where}[{index}]")
            for index, (each, item) in enumerate(zip(kinds, items, strict=True))
        )

    def inside(self, where: str, name: str) -> str:
        """Name a field for messages."""
        raise NotImplementedError

    def check_names(self, given: Mapping[str, Any], items: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        """Reject keys that are unknown or missing."""
        raise NotImplementedError

    def check_values(self, values: Mapping[str, Any], items: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        """Reject values that may not stand there."""

    def choice(self, choices: tuple[str, ...], data: object, where: str) -> str:
        """Read one of several words."""
        raise NotImplementedError

    def number(self, data: object, where: str) -> float:
        """Read a number."""
        raise NotImplementedError

    def typed(self, kind: type, data: object, where: str) -> Any:
        """Read a value of exactly one type: True is no whole number."""
        raise NotImplementedError


class _Json(_Reader):
    error = ManifestInvalid

    def inside(self, where: str, name: str) -> str:
        return f"{where}.{name}"

    def check_names(self, given: Mapping[str, Any], items: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        required = {name for name, item in items.items() if _OPTIONAL not in item.metadata}
        expected = f"exactly the fields {', '.join(sorted(required))} in {where}"
        self.error.unless(required <= set(given) <= set(items), expected=expected, got=", ".join(sorted(given)))

    def check_values(self, values: Mapping[str, Any], items: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        for name, value in values.items():
            self.error.unless(
                not _is_left_out(items[name], value),
                expected=f"{where}.{name} to be left out where it says nothing",
                got=value,
            )

    def choice(self, choices: tuple[str, ...], data: object, where: str) -> str:
        if not isinstance(data, str) or data not in choices:
            raise self.error(expected=where, choices=choices, got=data)
        return data

    def number(self, data: object, where: str) -> float:
        number = data if type(data) is int or type(data) is float else math.nan
        self.error.unless(abs(number) <= sys.float_info.max, expected=f"{where} to be a finite number", got=data)
        return float(number)

    def typed(self, kind: type, data: object, where: str) -> Any:
        self.error.unless(type(data) is kind, expected=f"{where} of type {kind.__name__}", got=type(data).__name__)
        return data


class _Toml(_Reader):
    error = DeploymentError

    def inside(self, where: str, name: str) -> str:
        return f"{where}: {name}"

    def check_names(self, given: Mapping[str, Any], items: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        for name in given:
            legal(name, items, f"a key of {where}")
        missing = [
            name
            for name, item in items.items()
            if name not in given and item.default is item.default_factory is dataclasses.MISSING
        ]
        if missing:
            hint = f"Add {'it' if len(missing) == 1 else 'them'}."
            raise self.error(expected=f"{', '.join(missing)} in {where}", found="none", hint=hint)

    def choice(self, choices: tuple[str, ...], data: object, where: str) -> str:
        return legal(self.typed(str, data, where), choices, where)

    def number(self, data: object, where: str) -> float:
        return float(self.typed(float, float(data) if type(data) is int else data, where))

    def typed(self, kind: type, data: object, where: str) -> Any:
        self.error.unless(type(data) is kind, expected=f"{_TOML_WORDS[kind]} for {where}", got=data)
        return data


def _is_left_out(item: dataclasses.Field[Any], value: object) -> bool:
    return _OPTIONAL in item.metadata and value == item.default
