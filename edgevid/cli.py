"""The command line: one table of verbs, each imported when it is called."""

from __future__ import annotations

import argparse
import difflib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

from edgevid import __version__
from edgevid.errors import EdgevidError, MissingDependency, UsageError

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


@dataclass(frozen=True, slots=True)
class Verb:
    """One command.

    Attributes:
        module: Where its `configure(parser)` and `run(args)` are.
        help: One line for `edgevid --help`.
    """

    module: str
    help: str


class Command(Protocol):
    """What a verb's module offers."""

    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@runtime_checkable
class Expanding(Protocol):
    """What the module of a verb offers whose arguments may come from elsewhere."""

    expand: Callable[[Sequence[str], argparse.ArgumentParser], list[str]]


VERBS: dict[str, Verb] = {
    "train": Verb("convert.commands.train", "train the reference CNN-LSTM on a folder of clips"),
    "evaluate": Verb("convert.commands.evaluate", "measure a model or a bundle on labelled clips"),
    "convert": Verb("convert.commands.convert", "turn a trained Keras model into a bundle, with proof"),
    "add-twin": Verb("convert.commands.add_twin", "put a part that was compiled for the Edge TPU into a bundle"),
    "inspect": Verb(
        "edgevid.commands.inspect", "show what a bundle holds and what was proven of it, or what a .tflite file holds"
    ),
    "selftest": Verb("edgevid.commands.selftest", "check that this machine gives a bundle's golden answers"),
    "run": Verb("edgevid.commands.run", "run bundles on a camera, a stream, a video or a folder of pictures"),
    "demo": Verb("edgevid.commands.demo", "run the gesture model that ships with edgevid"),
    "doctor": Verb("edgevid.commands.doctor", "look this machine over and say how to mend what is wrong"),
    "bench": Verb("edgevid.commands.bench", "measure latency per stage, memory and start-up on this machine"),
    "flash": Verb("edgevid.commands.provisioning.flash", "prepare a card with Raspberry Pi OS from a deployment"),
    "install-service": Verb(
        "edgevid.commands.provisioning.install_service", "set a deployment up on a Raspberry Pi that already runs"
    ),
    "deploy": Verb("edgevid.commands.provisioning.deploy", "bring a bundle to a device over ssh, on trial"),
    "image": Verb(
        "edgevid.commands.provisioning.image", "build a whole image of a card from Debian packages, for USB cameras"
    ),
    "activate": Verb("edgevid.commands.activate", "put a new bundle into service on this device, on trial"),
    "rollback": Verb("edgevid.commands.rollback", "go back to the bundle before this one"),
    "slots": Verb("edgevid.commands.slots", "show which bundles this device keeps, and which is on trial"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments after the program's name; those of the process where None.

    Returns:
        The exit code: 0 done, 1 failed, 2 usage, 3 verification failed, 130 interrupted.
    """
    _log_to_stderr()
    try:
        code = _dispatch(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except EdgevidError as error:
        return _complain(str(error), error.exit_code)
    except OSError as error:
        _let_go_of_stdout()
        return _complain(str(error), 1)
    return code


def verb_parser(name: str) -> argparse.ArgumentParser:
    """Build the argument parser of one verb.

    Args:
        name: A key of `VERBS`.

    Returns:
        A new parser.

    Raises:
        UsageError: There is no such verb.
    """
    return _parser(name, _command(name))


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())  # noqa: T201  # help is data
        return 0 if argv else UsageError.exit_code
    if argv[0] in ("-V", "--version"):
        print(f"edgevid {__version__}")  # noqa: T201  # so is the version
        return 0
    command = _command(argv[0])
    try:
        parser = _parser(argv[0], command)
        return command.run(
            parser.parse_args(command.expand(argv[1:], parser) if isinstance(command, Expanding) else argv[1:])
        )
    except ModuleNotFoundError as error:
        raise _extra_missing(argv[0], error) from error


def _command(name: str) -> Command:
    if name not in VERBS:
        close = difflib.get_close_matches(name, VERBS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else " Run: edgevid --help."
        raise UsageError(expected="a command", choices=VERBS, got=name, hint=f"{hint}")
    try:
        return cast("Command", importlib.import_module(VERBS[name].module))
    except ModuleNotFoundError as error:
        raise _extra_missing(name, error) from error


def _extra_missing(name: str, error: ModuleNotFoundError) -> Exception:
    """Name the extra that holds a missing package, or the half of edgevid that a device does not have."""
    missing = error.name or ""
    package = missing.partition(".")[0]
    if package and VERBS[name].module.startswith(missing):
        return MissingDependency(
            expected=f"the workstation's half of edgevid for 'edgevid {name}'",
            found="an installation for devices",
            hint="Run it on the workstation.",
        )
    if package in ("", "edgevid", "convert") or not VERBS[name].module.startswith("convert."):
        return error
    return MissingDependency(
        expected=f"the package {package!r} for 'edgevid {name}'",
        found="none",
        hint="Run: pip install 'edgevid[convert]'.",
    )


def _parser(name: str, command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"edgevid {name}",
        description=sys.modules[VERBS[name].module].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.configure(parser)
    return parser


def _overview() -> str:
    verbs = "\n".join(f"  {name:<17}{verb.help}" for name, verb in VERBS.items())
    return (
        "usage: edgevid COMMAND [options]\n\n"
        "Run a trained Keras video classifier on a Raspberry Pi: int8, frame by frame, with the answers it had on the workstation.\n\n"
        f"commands:\n{verbs}\n\n"
        "'edgevid COMMAND --help' explains one of them; 'edgevid --version' names the version.\n"
        "Start with: edgevid demo"
    )


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"edgevid: {message}\n")
    return code


def _let_go_of_stdout() -> None:
    """Where what is left to write cannot be written either, the interpreter would try it again at exit, and end with a code of its own (120)."""
    try:
        sys.stdout.flush()
    except OSError:
        _silence_stdout()


class _StderrHandler(logging.StreamHandler[Any]):
    """Writes to whatever `sys.stderr` is when a record is logged."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


def _log_to_stderr() -> None:
    """Print what the API logs as plain lines, choices that it measured among them."""
    logger = logging.getLogger("edgevid.api")
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        logger.addHandler(_StderrHandler())
        logger.setLevel(logging.INFO)


def _silence_stdout() -> None:
    """Let the interpreter flush its buffer into nothing at exit, where the reader of our output has gone.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
