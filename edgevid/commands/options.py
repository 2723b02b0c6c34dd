"""Command-line options as data, and the options that several commands share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# A hundred years: the kernel's timers take no much longer time.
LONGEST_S = 3.2e9
# The folder that `StateDirectory=edgevid` of the systemd unit creates.
DEVICE_FOLDER = "/var/lib/edgevid"


@dataclass(frozen=True, kw_only=True)
class HelpGroup:
    """A section of a help text.

    Attributes:
        title: Its heading.
        description: Its text, above the options.
    """

    title: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Option:
    """One argument of a command, from which its parser and the reader of its TOML file are derived.

    Attributes:
        name: The long name with its dashes, or a plain name for a positional argument.
        help: The text of `--help`.
        type: Converts the text of a value, or raises `argparse.ArgumentTypeError`; None for plain
            text.
        metavar: The value's name in the help.
        default: The value where the option is not given.
        choices: The legal values; None for any.
        nargs: 0 for a switch without a value, "?" for an optional value, "+" for several; None for
            one.
        const: With `nargs` "?", the value of an option that is given without one.
        required: Whether the option must be given.
        group: The section of the help; None for the main one.
        is_repeated: Whether the option may be given several times. Its value is a list then, and an
            array in a TOML file.
    """

    name: str
    help: str
    type: Callable[[str], Any] | None = None
    metavar: str | None = None
    default: Any = None
    choices: tuple[str, ...] | None = None
    nargs: Literal[0, "?", "+"] | None = None
    const: Any = None
    required: bool = False
    group: HelpGroup | None = None
    is_repeated: bool = False

    @property
    def key(self) -> str:
        """The name in a TOML file and in the parsed arguments."""
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def is_switch(self) -> bool:
        """Whether the option has no value: it is given or not."""
        return self.nargs == 0

    @property
    def is_positional(self) -> bool:
        """Whether the argument is written without a name."""
        return not self.name.startswith("--")


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add options to a parser, each to its group of the help."""
    options = tuple(options)
    groups = {
        group: parser.add_argument_group(group.title, group.description)
        for group in dict.fromkeys(option.group for option in options)
        if group is not None
    }
    for option in options:
        target = parser if option.group is None else groups[option.group]
        target.add_argument(option.name, **_add_argument_keywords(option))


def _add_argument_keywords(option: Option) -> dict[str, Any]:
    if option.is_switch:
        return {"action": "store_true", "help": option.help}
    names = ("type", "help", "metavar", "default", "choices", "nargs", "const")
    keywords = {name: getattr(option, name) for name in names}
    if option.is_repeated:
        return {"action": "append", **{name: keywords[name] for name in ("type", "help", "metavar")}, "default": []}
    # argparse rejects `required` for a positional argument, even if it is false.
    return keywords if option.is_positional else {**keywords, "required": option.required}


def add_bundle(parser: argparse.ArgumentParser, *, what: str = "the .edgevid file") -> None:
    """Add the bundle as the first argument, `args.bundle`.

    Args:
        parser: The parser of a command.
        what: Help text of the argument.
    """
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help=what)


def add_slots(parser: argparse.ArgumentParser) -> None:
    """Add `--slots`, `args.slots`: the folder where a device stores its bundles."""
    parser.add_argument(
        "--slots",
        type=Path,
        default=Path(DEVICE_FOLDER),
        metavar="DIR",
        help=f"folder where the device stores its bundles (default: {DEVICE_FOLDER})",
    )


def add_trial(parser: argparse.ArgumentParser) -> None:
    """Add `--trial-s`, `args.trial_s`: the length of a new bundle's trial."""
    parser.add_argument(
        "--trial-s",
        type=trial_period_s,
        default=120.0,
        metavar="SECONDS",
        help="how long the bundle must give answers to be confirmed (default: 120)",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`, `args.threads`."""
    parser.add_argument(
        "--threads", type=positive_int, default=1, metavar="N", help="number of interpreter threads (default: 1)"
    )


def positive_int(text: str) -> int:
    """Read a whole number of at least 1.

    Args:
        text: Decimal digits.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"Expected a whole number of at least 1, got {text!r}.")
    return int(text)


def trial_period_s(text: str) -> float:
    """Read the length of a trial.

    Args:
        text: A number of seconds, 0 to a week.

    Returns:
        The number.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    # A parser without the option need not import it.
    from edgevid.updates.state import MAX_TRIAL_S

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # False for NaN too.
    if not 0 <= value <= MAX_TRIAL_S:
        raise argparse.ArgumentTypeError(f"Expected a number of seconds from 0 to {MAX_TRIAL_S:g}, got {text!r}.")
    return value


def positive_seconds(text: str) -> float:
    """Read a time above 0 and below a hundred years.

    Args:
        text: A number.

    Returns:
        The time in seconds, never infinite or not a number.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # Written so that NaN is rejected as well.
    if not 0 < seconds < LONGEST_S:
        raise argparse.ArgumentTypeError(f"Expected a number of seconds above 0, got {text!r}.")
    return seconds


def size_px(text: str) -> tuple[int, int]:
    """Read a picture size.

    Args:
        text: WIDTHxHEIGHT, such as 640x480.

    Returns:
        (width, height) in pixels, each at least 1.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    width, cross, height = text.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError(f"Expected WIDTHxHEIGHT, such as 640x480, got {text!r}.")
    return positive_int(width), positive_int(height)
