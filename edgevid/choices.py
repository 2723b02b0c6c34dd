"""TOML files of choices and facts into frozen dataclasses: an unknown key, a missing one or a wrong type is an error that names what is legal.

A field without a default must be there. Text in `Literal` fields is one of the listed; nested dataclasses are tables, tuples are arrays.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from edgevid.errors import DeploymentError, UsageError

Built = TypeVar("Built")
_KINDS: Mapping[Any, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "an array", dict: "a table"}


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
        raise UsageError(f"Expected a TOML file that can be read, got {path}: {error.strerror}.", path=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeploymentError(f"Expected TOML in {path}: {error}.", path=path) from error


def build(kind: type[Built], table: object, where: str) -> Built:
    """Make a dataclass from a table.

    Args:
        kind: The dataclass.
        table: What TOML gave.
        where: The file or table, for messages.

    Returns:
        An instance.

    Raises:
        DeploymentError: A key is unknown, missing, or has a value of a wrong type.
    """
    given = _typed(dict, table, where)
    items = {item.name: item for item in dataclasses.fields(typing.cast("Any", kind))}
    for name in given:
        legal(name, items, f"a key of {where}")
    missing = [name for name, item in items.items() if name not in given and item.default is item.default_factory is dataclasses.MISSING]
    if missing:
        raise DeploymentError(f"Expected {', '.join(missing)} in {where}, got none. Add {'it' if len(missing) == 1 else 'them'}.", expected=missing)
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(hints[name], value, f"{where}: {name}") for name, value in given.items()})


def legal(value: str, choices: Iterable[str], what: str) -> str:
    """Refuse what is not listed.

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
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DeploymentError(f"Expected {what}, one of {', '.join(known)}, got {value!r}.{hint}", expected=known, got=value)
    return value


def _value(kind: Any, value: object, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return build(typing.cast("type[Any]", kind), value, where)
    if origin in (types.UnionType, typing.Union):
        return _value(next(each for each in arguments if each is not type(None)), value, where)
    if origin is Literal:
        return legal(_typed(str, value, where), arguments, where)
    if origin is tuple:
        return tuple(_value(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(_typed(list, value, where)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return types.MappingProxyType({key: _value(arguments[1], item, f"{where}.{key}") for key, item in _typed(dict, value, where).items()})
    return value if kind is Any else _scalar(kind, value, where)


def _scalar(kind: Any, value: object, where: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    return _typed(kind, value, where)


def _typed(kind: type, value: object, where: str) -> Any:
    if type(value) is not kind:
        raise DeploymentError(f"Expected {_KINDS[kind]} for {where}, got {value!r}.", expected=_KINDS[kind], got=value)
    return value
