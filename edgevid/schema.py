"""Strict conversion between frozen dataclasses and JSON or TOML. No type is coerced.

JSON is a contract between programs: it has all fields, except that those declared with `optional`
are omitted at their default. So equal content has equal JSON.

People write TOML: any field with a default may be omitted, an integer is accepted for a float, and
messages suggest the nearest legal word.
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
    """Declare a dataclass field that JSON omits at its default.

    Args:
        default: A value of an immutable type.

    Returns:
        The field, for the body of a dataclass.
    """
    return dataclasses.field(default=default, metadata={_OPTIONAL: True})


def is_optional(item: dataclasses.Field[Any]) -> bool:
    """Return whether JSON omits a field at its default."""
    return _OPTIONAL in item.metadata


def to_json(value: object) -> Any:
    """Convert a dataclass to values that `json.dumps` accepts.

    Args:
        value: A dataclass, mapping, tuple, list or scalar, nested to any depth.

    Returns:
        Dicts, lists and scalars.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = [(item, getattr(value, item.name)) for item in dataclasses.fields(value)]
        return {item.name: to_json(each) for item, each in pairs if not _is_omitted(item, each)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[Built], data: object, where: str) -> Built:
    """Build a dataclass from parsed JSON.

    Args:
        kind: The dataclass.
        data: The value that `json.loads` returned.
        where: Name of the data in messages.

    Raises:
        ManifestInvalid: If a field is missing, unknown, of a wrong type or has an illegal value.
    """
    try:
        return cast("Built", _JsonReader().read(kind, data, where))
    except (ContractError, UsageError) as error:
        # From the __post_init__ of a dataclass that is not specific to bundles, such as InputSpec or Framing.
        raise ManifestInvalid(f"Expected a legal {where}. {error}", expected=error.expected, got=error.got) from error


def from_toml(kind: type[Built], table: object, where: str) -> Built:
    """Build a dataclass from a TOML table.

    Args:
        kind: The dataclass.
        table: A table that `tomllib` returned.
        where: Name of the file or table in messages.

    Raises:
        DeploymentError: If a key is unknown or missing, or a value has a wrong type.
    """
    return cast("Built", _TomlReader().read(kind, table, where))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file into a dict.

    Raises:
        UsageError: If the file does not exist or cannot be read.
        DeploymentError: If the content is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            expected="a TOML file that can be read", found=f"{path}: {error.strerror}", path=path
        ) from error
    except RecursionError:
        raise DeploymentError(
            expected=f"TOML in {path}", found="arrays or tables that are nested too deeply", path=path
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeploymentError(expected=f"TOML in {path}", found=str(error), path=path) from error


def legal(value: str, choices: Iterable[str], what: str) -> str:
    """Return a word, or reject it and suggest the nearest legal one.

    Args:
        value: The word to check.
        choices: The legal words.
        what: Description of the word for the message, such as "a board".

    Raises:
        DeploymentError: If the word is none of the choices.
    """
    known = sorted(choices)
    if value not in known:
        close = difflib.get_close_matches(value, known, n=1)
        raise DeploymentError(
            expected=what, choices=known, got=value, hint=f"Did you mean {close[0]!r}?" if close else ""
        )
    return value


class _Reader:
    """Walks a type and the data for it. The subclasses decide what their format allows."""

    error: type[EdgevidError]

    def read(self, kind: Any, data: object, where: str) -> Any:
        """Build a value of a type from data."""
        origin, arguments = get_origin(kind), get_args(kind)
        if dataclasses.is_dataclass(kind):
            return self._read_dataclass(kind, self.read_typed(dict, data, where), where)
        if origin in (types.UnionType, typing.Union):
            # The unions are all `X | None`. Neither format writes None: it is the default of an
            # omitted field.
            return self.read(next(each for each in arguments if each is not type(None)), data, where)
        if origin is tuple:
            return self._read_tuple(arguments, self.read_typed(list, data, where), where)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            items = self.read_typed(dict, data, where).items()
            # Read-only, since the dataclasses around it are frozen.
            return types.MappingProxyType({key: self.read(arguments[1], each, f"{where}.{key}") for key, each in items})
        if origin is Literal:
            return self.read_choice(arguments, data, where)
        return self._read_scalar(kind, data, where)

    def _read_scalar(self, kind: Any, data: object, where: str) -> Any:
        if kind is Any:
            return data
        return self.read_number(data, where) if kind is float else self.read_typed(kind, data, where)

    def _read_dataclass(self, kind: Any, table: dict[str, Any], where: str) -> Any:
        fields = {item.name: item for item in dataclasses.fields(kind)}
        self.check_names(table, fields, where)
        # Resolves annotations that `from __future__ import annotations` turned into strings.
        hints = typing.get_type_hints(kind)
        values = {name: self.read(hints[name], each, self.field_path(where, name)) for name, each in table.items()}
        self.check_values(values, fields, where)
        return kind(**values)

    def _read_tuple(self, arguments: tuple[Any, ...], items: list[Any], where: str) -> tuple[Any, ...]:
        kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
        self.error.unless(len(kinds) == len(items), expected=f"{len(kinds)} items in {where}", got=len(items))
        pairs = enumerate(zip(kinds, items, strict=True))
        return tuple(self.read(kind, item, f"{where}[{index}]") for index, (kind, item) in pairs)

    def field_path(self, where: str, name: str) -> str:
        """Return the name of a field in messages."""
        raise NotImplementedError

    def check_names(self, table: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        """Reject unknown and missing keys."""
        raise NotImplementedError

    def check_values(self, values: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        """Reject values that the format must omit."""

    def read_choice(self, choices: tuple[Any, ...], data: object, where: str) -> Any:
        """Read one of several words or numbers."""
        raise NotImplementedError

    def read_number(self, data: object, where: str) -> float:
        """Read a real number."""
        raise NotImplementedError

    def read_typed(self, kind: type, data: object, where: str) -> Any:
        """Read a value of exactly one type; True is not an integer."""
        raise NotImplementedError


class _JsonReader(_Reader):
    error = ManifestInvalid

    def field_path(self, where: str, name: str) -> str:
        return f"{where}.{name}"

    def check_names(self, table: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        required = {name for name, item in fields.items() if not is_optional(item)}
        self.error.unless(
            required <= set(table) <= set(fields),
            expected=f"exactly the fields {', '.join(sorted(required))} in {where}",
            got=sorted(table),
            found=", ".join(sorted(table)) or "none",
        )

    def check_values(self, values: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        for name, value in values.items():
            self.error.unless(
                not _is_omitted(fields[name], value),
                expected=f"{where}.{name} to be left out at its default",
                got=value,
            )

    def read_choice(self, choices: tuple[Any, ...], data: object, where: str) -> Any:
        # By type too: True equals 1, and 90.0 equals 90.
        if not any(type(data) is type(each) and data == each for each in choices):
            raise self.error(expected=where, choices=choices, got=data)
        return data

    def read_number(self, data: object, where: str) -> float:
        number = data if type(data) is int or type(data) is float else math.nan
        # Compared before float(): an int beyond the range of a float would raise OverflowError there.
        self.error.unless(abs(number) <= sys.float_info.max, expected=f"{where} to be a finite number", got=data)
        return float(number)

    def read_typed(self, kind: type, data: object, where: str) -> Any:
        self.error.unless(type(data) is kind, expected=f"{where} of type {kind.__name__}", got=type(data).__name__)
        return data


class _TomlReader(_Reader):
    error = DeploymentError

    def field_path(self, where: str, name: str) -> str:
        return f"{where}: {name}"

    def check_names(self, table: Mapping[str, Any], fields: Mapping[str, dataclasses.Field[Any]], where: str) -> None:
        for name in table:
            legal(name, fields, f"a key of {where}")
        missing = [name for name, item in fields.items() if name not in table and not _has_default(item)]
        if missing:
            hint = f"Add {'it' if len(missing) == 1 else 'them'}."
            raise self.error(expected=f"{', '.join(missing)} in {where}", found="none", hint=hint)

    def read_choice(self, choices: tuple[str, ...], data: object, where: str) -> str:
        return legal(self.read_typed(str, data, where), choices, where)

    def read_number(self, data: object, where: str) -> float:
        return float(self.read_typed(float, float(data) if type(data) is int else data, where))

    def read_typed(self, kind: type, data: object, where: str) -> Any:
        self.error.unless(type(data) is kind, expected=f"{_TOML_WORDS[kind]} for {where}", got=data)
        return data


def _is_omitted(item: dataclasses.Field[Any], value: object) -> bool:
    return is_optional(item) and value == item.default


def _has_default(item: dataclasses.Field[Any]) -> bool:
    return not (item.default is item.default_factory is dataclasses.MISSING)
