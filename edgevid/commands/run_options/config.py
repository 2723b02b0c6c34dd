"""`--config deployment.toml`: the options of `edgevid run` from a file. What stands on the command line wins.

A key is an option's long name without its dashes, with `-` or `_` within it; `bundles` are the bundles. An option that takes several values
takes an array. A table groups keys and changes nothing, so `[outputs]` may stand above some of them; but for `[camera]`, whose keys are the
controls of the source's camera, as they stand behind the `?` of its address. What a file says is turned into the arguments that a person
would have written, so it is checked by the same rules and refused with the same words.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevid.errors import DeploymentError, UsageError
from edgevid.schema import legal, read_toml

OPTION = "--config"
_BUNDLES, _CAMERA = "bundles", "camera"
_TEXT = ("a text", (str,))
_WRITTEN: dict[Any, tuple[str, tuple[type, ...]]] = {
    float: ("a number", (int, float)),
    int: ("a whole number", (int,)),
    None: _TEXT,
    Path: _TEXT,
}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare `--config`.

    Args:
        parser: The verb's.
    """
    parser.add_argument(
        OPTION, type=Path, metavar="FILE", help="a TOML file with any of these options; the command line wins over it"
    )


def refuse_abbreviation(args: argparse.Namespace) -> None:
    """Refuse a shortened `--config`, which the parser knows and `expand` does not: its file would be passed over in silence.

    Args:
        args: Parsed options.

    Raises:
        UsageError: The option was shortened.
    """
    if args.config is not None:
        raise UsageError(expected=f"{OPTION} written in full", found="it shortened")


def expand(argv: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Put what a file says before what the command line says.

    Args:
        argv: As written, without the verb.
        parser: The verb's, with every option declared.

    Returns:
        Arguments to parse; those written where there is no `--config`.

    Raises:
        UsageError: The file is not there, or an option has no file.
        DeploymentError: It is not TOML, or has an unknown key, one twice, or a value of a wrong type.
    """
    path, rest = _taken_out(list(argv))
    if path is None:
        return rest
    options = _options(parser)
    given = dict(_flat(_with_camera(read_toml(path), path), path))
    for name in given:
        legal(name, options, f"a key of {path}")
    arguments = [
        text
        for name, value in given.items()
        if name != _BUNDLES
        for text in _arguments(options[name], value, f"{name} in {path}")
    ]
    bundles = _bundles(given[_BUNDLES], path) if _BUNDLES in given else []
    return [*([] if _names_bundle(rest, parser) else bundles), *arguments, *rest]


def _taken_out(argv: list[str]) -> tuple[Path | None, list[str]]:
    """Find `--config FILE` or `--config=FILE`, once."""
    path: Path | None = None
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name != OPTION:
            rest.append(word)
            continue
        value = value if equals else next(words, "")
        if not value or path is not None:
            # What else was written may hold a password.
            raise UsageError(expected=f"{OPTION} once, with a file", found=f"it {('twice' if path else 'without one')}")
        path = Path(value)
    return path, rest


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Every option that a file may hold, by its key."""
    options = {
        _key(name): action for action in parser._actions for name in action.option_strings if name.startswith("--")
    }
    bundles = next(action for action in parser._actions if action.dest == _BUNDLES)
    return {name: action for name, action in options.items() if name not in ("help", "config")} | {_BUNDLES: bundles}


def _key(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def _with_camera(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write the camera's controls behind the source's address; which of them a camera has is checked where it is opened."""
    controls = table.pop(_CAMERA, None)
    if controls is None:
        return table
    if not isinstance(controls, dict) or not isinstance(table.get("source"), str):
        raise DeploymentError(
            expected=f"[{_CAMERA}] in {path} as a table, with a source such as source = 'picamera2'",
            got=controls,
            path=path,
        )
    source = table["source"]
    options = "&".join(f"{name}={_control(value, f'{_CAMERA}.{name} in {path}')}" for name, value in controls.items())
    return {**table, "source": f"{source}{'&' if '?' in source else '?'}{options}" if options else source}


def _control(value: object, where: str) -> str:
    """As an address has it: 1 and 0 for true and false, 640x480 for [640, 480]."""
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value):
        return f"{value[0]}x{value[1]}"
    if not isinstance(value, (bool, int, float, str)):
        raise DeploymentError(expected=f"a number, true or false, a text or [width, height] for {where}", got=value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def _flat(table: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Keys of the file and of its tables; each may be there once."""
    seen: set[str] = set()
    for name, value in table.items():
        for written, item in value.items() if isinstance(value, dict) else [(name, value)]:
            key = _key(written)
            if key in seen:
                raise DeploymentError(expected=f"each key of {path} once", got=key, found=f"{key!r} twice", path=path)
            seen.add(key)
            yield key, item


def _arguments(action: argparse.Action, value: object, where: str) -> list[str]:
    """What a person would have written for one key."""
    option = next(name for name in action.option_strings if name.startswith("--"))
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise DeploymentError(expected=f"true or false for {where}", got=value)
        return [option] if value else []
    several = isinstance(value, list) and isinstance(action, argparse._AppendAction)
    values = value if several and isinstance(value, list) else [value]
    # With an equals sign, so that a value that begins with a dash is a value.
    return [f"{option}={_text(item, action, where)}" for item in values]


def _text(value: object, action: argparse.Action, where: str) -> str:
    """One value as text: what the option's own check does not see is whether a number was written as one."""
    kind, types = _WRITTEN.get(action.type, ("a text or a number", (str, int, float)))
    if isinstance(value, bool) or not isinstance(value, types):
        raise DeploymentError(expected=f"{kind} for {where}", got=value)
    return str(value)


def _bundles(value: object, path: Path) -> list[str]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise DeploymentError(
            expected=f"the file of a bundle, or an array of them, for {_BUNDLES} in {path}", got=value
        )
    return list(map(str, names))


def _names_bundle(argv: list[str], parser: argparse.ArgumentParser) -> bool:
    """Whether the command line names a bundle itself: it stands alone, and is no option's value."""
    takes = {name for action in parser._actions if action.nargs != 0 for name in action.option_strings}
    words = iter(argv)
    for word in words:
        if word in takes:
            next(words, None)
        elif not word.startswith("-"):
            return True
    return False
