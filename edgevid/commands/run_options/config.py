"""`--config FILE.toml`: the options of `edgevid run` from a file. The command line wins over it.

A key is the long name of an option without its dashes, with `-` or `_` inside; `bundles` names the
bundles, one or an array of them. A table only groups keys, so `[outputs]` may head some of them.
The exception is `[camera]`: its keys are camera options, as they follow the `?` of an address.
`${NAME}` in a text is replaced by a variable of the environment, so that the file holds no password.

The file becomes the words that a person would have typed. So the parser checks both alike, and
rejects both in the same words.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevid.commands.options import Option, positive_seconds
from edgevid.errors import DeploymentError, UsageError
from edgevid.schema import legal, read_toml

OPTION = Option(
    name="--config",
    type=Path,
    metavar="FILE",
    help="a TOML file with any of these options; the command line wins over it",
)
_BUNDLES, _CAMERA = "bundles", "camera"
VARIABLE = re.compile(r"\$\{(\w+)\}")
# What TOML types an option accepts, by its `type`. The option itself checks the value.
_TEXT = ("a text", (str,))
_TOML_TYPES: Mapping[object, tuple[str, tuple[type, ...]]] = {
    None: _TEXT,
    Path: _TEXT,
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    positive_seconds: ("a number", (int, float)),
}
# In this order: in Python, True is an int as well.
_TYPE_WORDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "an array",
    dict: "a table",
    type(None): "nothing",
}
_TEXT_OR_NUMBER = ("a text or a number", (str, int, float))


def reject_abbreviation(args: argparse.Namespace) -> None:
    """Reject an abbreviated `--config`.

    argparse accepts `--conf`, but `expand` looks for the full name and would ignore the file.

    Args:
        args: Parsed options.

    Raises:
        UsageError: The option was abbreviated.
    """
    if args.config is not None:
        raise UsageError(expected=f"{OPTION.name} written in full", found="an abbreviation")


def expand(argv: Sequence[str], options: Sequence[Option], *, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Insert the options of the file before those of the command line.

    Args:
        argv: The command line, without the command.
        options: The options that a file may contain.
        environment: Values of the variables that the file names.

    Returns:
        Words to parse; without `--config`, those of `argv`.

    Raises:
        UsageError: The file is missing, or `--config` has no file.
        DeploymentError: The file is no TOML, or has a key that is unknown or occurs twice, or a
            value of another type than its option, or names a variable that is not set.
    """
    path, words = _extract_path(argv)
    if path is None:
        return words
    by_key = {option.key: option for option in options}
    table = _with_variables(read_toml(path), path, environment)
    values = dict(_flatten(_with_camera(table, path), path))
    for key in values:
        legal(key, by_key, f"a key of {path}")
    bundles = values.pop(_BUNDLES, None)
    from_file = [
        word
        for key, value in values.items()
        for each in _values(by_key[key], value)
        for word in _words(by_key[key], each, f"{key} in {path}")
    ]
    bundle_names = [] if bundles is None else _bundle_names(bundles, path)
    # argparse would run the bundles of both, so those of the file apply only if the line has none.
    # Of an option that occurs twice it takes the last, so the command line comes last.
    return [*([] if _has_bundle(words, options) else bundle_names), *from_file, *words]


def _extract_path(argv: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Split off `--config FILE` or `--config=FILE`."""
    path: Path | None = None
    others: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name != OPTION.name:
            others.append(word)
            continue
        value = value if equals else next(words, "")
        if not value or path is not None:
            # The message shows no other words of the line: they may contain a password.
            raise UsageError(expected=f"{OPTION.name} once, with a file", found="two" if path else "no file")
        path = Path(value)
    return path, others


def _with_variables(value: Any, path: Path, environment: Mapping[str, str]) -> Any:
    """Replace the variables in every text of the file, at any depth."""
    if isinstance(value, dict):
        return {name: _with_variables(each, path, environment) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_variables(each, path, environment) for each in value]
    if not isinstance(value, str):
        return value
    missing = [name for name in VARIABLE.findall(value) if not environment.get(name)]
    DeploymentError.unless(
        not missing,
        expected=f"the variable {missing[0] if missing else ''}, which {path} names",
        found="none",
        hint="A service has the variables of [environment] in its deployment.",
    )
    return VARIABLE.sub(lambda name: environment[name[1]], value)


def _with_camera(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """Move the camera's options into the source's address. The source checks them when it opens."""
    camera = table.pop(_CAMERA, None)
    if camera is None:
        return table
    if not isinstance(camera, dict) or not isinstance(table.get("source"), str):
        raise DeploymentError(
            expected=f"[{_CAMERA}] in {path} as a table, with a source such as source = 'picamera2'",
            found=_type_of(camera),
            path=path,
        )
    source = table["source"]
    query = "&".join(f"{name}={_camera_value(value, f'{_CAMERA}.{name} in {path}')}" for name, value in camera.items())
    return {**table, "source": f"{source}{'&' if '?' in source else '?'}{query}" if query else source}


def _camera_value(value: object, where: str) -> str:
    """Format a value as in an address: 1 and 0 for true and false, 640x480 for [640, 480]."""
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value):
        return f"{value[0]}x{value[1]}"
    if not isinstance(value, (bool, int, float, str)):
        raise DeploymentError(
            expected=f"a number, true or false, a text or [width, height] for {where}", found=_type_of(value)
        )
    return str(int(value)) if isinstance(value, bool) else str(value)


def _flatten(table: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the keys of the file and of its tables, each of which may occur once."""
    seen: set[str] = set()
    for name, value in table.items():
        for written, item in value.items() if isinstance(value, dict) else [(name, value)]:
            key = written.removeprefix("--").replace("-", "_")
            if key in seen:
                raise DeploymentError(expected=f"each key of {path} once", got=key, found=f"{key!r} twice", path=path)
            seen.add(key)
            yield key, item


def _values(option: Option, value: object) -> list[object]:
    """Return the values of a key, of which an option that may be repeated has several."""
    return value if option.is_repeated and isinstance(value, list) else [value]


def _words(option: Option, value: object, where: str) -> list[str]:
    """Return one key as a person would have typed it."""
    if option.is_switch:
        if not isinstance(value, bool):
            raise DeploymentError(expected=f"true or false for {where}", found=_type_of(value))
        return [option.name] if value else []
    kind, types = _TOML_TYPES.get(option.type, _TEXT_OR_NUMBER)
    # In Python, True is an int as well.
    if isinstance(value, bool) or not isinstance(value, types):
        raise DeploymentError(expected=f"{kind} for {where}", found=_type_of(value))
    # With an equals sign, so that argparse takes a value such as -1 for a value.
    return [f"{option.name}={value}"]


def _type_of(value: object) -> str:
    """Return the type of a value in words. No message shows the value: it may contain a password."""
    for kind, words in _TYPE_WORDS.items():
        if isinstance(value, kind):
            return words
    return "a date or time"


def _bundle_names(value: object, path: Path) -> list[str]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise DeploymentError(
            expected=f"the file of a bundle, or an array of them, for {_BUNDLES} in {path}", found=_type_of(value)
        )
    return list(map(str, names))


def _has_bundle(argv: Sequence[str], options: Sequence[Option]) -> bool:
    """Return whether a word of the command line is neither an option nor an option's value."""
    takes_value = False
    for index, word in enumerate(argv):
        if word == "--":
            return index + 1 < len(argv)
        # The value of --motion-gate may be left out.
        if takes_value and not word.startswith("--"):
            takes_value = False
            continue
        takes_value = _takes_next_word(word, options)
        if not word.startswith("-"):
            return True
    return False


def _takes_next_word(word: str, options: Sequence[Option]) -> bool:
    """Return whether a word is an option, in full or abbreviated as argparse accepts it, whose value follows."""
    named = [option for option in options if option.name == word]
    meant = named or [option for option in options if word.startswith("--") and option.name.startswith(word)]
    # Of an ambiguous abbreviation argparse complains later.
    return bool(meant) and not any(option.is_switch or option.is_positional for option in meant)
