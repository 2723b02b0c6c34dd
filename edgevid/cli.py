"""The command line: a table of verbs, each imported when it runs."""

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

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@dataclass(frozen=True, slots=True)
class Verb:
    """One command.

    Attributes:
        module: The module with its `configure(parser)` and `run(args)`.
        help: The line in `edgevid --help`.
    """

    module: str
    help: str


class Command(Protocol):
    """The interface of a verb's module."""

    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@runtime_checkable
class Expanding(Protocol):
    """The interface of a verb's module that adds arguments, such as those of a configuration file."""

    expand: Callable[[Sequence[str], argparse.ArgumentParser], list[str]]


VERBS: dict[str, Verb] = {
    "train": Verb("convert.commands.train", "train the reference CNN-LSTM on a folder of clips"),
    "evaluate": Verb("convert.commands.evaluate", "measure a model or a bundle on clips or long recordings"),
    "label": Verb("convert.commands.label", "mark events in recordings on a page in your browser"),
    "truth": Verb("convert.commands.truth", "check what happens in long recordings, from any annotation tool"),
    "keypoints": Verb("convert.commands.keypoints", "write people's key points in clips as rows for training"),
    "convert": Verb("convert.commands.convert", "turn a trained Keras model into a bundle, with proof"),
    "calibrate": Verb("convert.commands.calibrate", "choose thresholds and times of a bundle on long recordings"),
    "fetch keypoints": Verb("edgevid.commands.keypoints.fetch", "fetch the networks that find poses and hands"),
    "add-twin": Verb("convert.commands.add_twin", "add a part that was compiled for the Edge TPU to a bundle"),
    "inspect": Verb("edgevid.commands.inspect", "show the contents and the proof of a bundle, or a .tflite file"),
    "selftest": Verb("edgevid.commands.selftest", "check that this machine reproduces a bundle's golden answers"),
    "run": Verb("edgevid.commands.run", "run bundles on a camera, a stream, a video or a folder of pictures"),
    "demo": Verb("edgevid.commands.demo", "run the gesture model that ships with edgevid"),
    "doctor": Verb("edgevid.commands.doctor", "check this machine and suggest a fix for each problem"),
    "bench": Verb("edgevid.commands.bench", "measure latency, memory, start-up and energy, with a verdict"),
    "bench compare": Verb("edgevid.commands.benchmark.compare", "compare two results: the effect and one word"),
    "bench check": Verb("edgevid.commands.benchmark.check", "check a result file and its raw samples"),
    "bench page": Verb("convert.commands.bench_page", "make a page of results, boards side by side"),
    "bench profile": Verb("edgevid.commands.benchmark.profile", "time a bundle's parts operator by operator"),
    "bench reference": Verb("edgevid.commands.benchmark.reference", "measure the suite that all boards share"),
    "bench sweep": Verb("edgevid.commands.benchmark.sweep", "measure threads, delegates or sizes in turn"),
    "fit": Verb("convert.commands.fit", "predict which Raspberry Pi keeps a bundle's rate"),
    "tune show": Verb("edgevid.commands.tuning.show", "show clocks and interrupts, and what tuning would change"),
    "tune set": Verb("edgevid.commands.tuning.set_up", "highest clock and quiet cores, until reset or the next boot"),
    "tune reset": Verb("edgevid.commands.tuning.reset", "set this machine as it was before"),
    "flash": Verb("edgevid.commands.provisioning.flash", "prepare a card with Raspberry Pi OS from a deployment"),
    "install-service": Verb(
        "edgevid.commands.provisioning.install_service", "install a deployment on a running Raspberry Pi"
    ),
    "deploy": Verb("edgevid.commands.provisioning.deploy", "send a bundle to a device over ssh and start it on trial"),
    "image": Verb(
        "edgevid.commands.provisioning.image", "build a whole card image from Debian packages, for USB cameras"
    ),
    "activate": Verb("edgevid.commands.activate", "start a new bundle on this device, on trial"),
    "rollback": Verb("edgevid.commands.rollback", "return to the previous bundle of this device"),
    "slots": Verb("edgevid.commands.slots", "list the bundles of this device, and the one on trial"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        The exit code: 0 for success, 1 failure, 2 wrong usage, 3 failed verification, 130 Ctrl-C.
    """
    _fill_closed_streams()
    _log_to_stderr()
    try:
        _check_stdout()
        code = _dispatch(sys.argv[1:] if argv is None else list(argv))
        # Here, so that a closed pipe or a full disk is caught below and not at interpreter exit.
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except EdgevidError as error:
        return _report_error(str(error), error.exit_code)
    except OSError as error:
        _flush_or_silence_stdout()
        return _report_error(str(error), 1)
    return code


def verb_parser(name: str) -> argparse.ArgumentParser:
    """Build the argument parser of one verb.

    Args:
        name: A key of `VERBS`.

    Raises:
        UsageError: If there is no such verb.
    """
    return _parser(name, _command(name))


def split_verb(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split a command line into its verb, of one word or two, as in "bench compare", and the rest.

    Args:
        argv: At least one word, without the program's name.
    """
    words = 2 if " ".join(argv[:2]) in VERBS else 1
    return " ".join(argv[:words]), argv[words:]


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())  # noqa: T201  # requested output
        return 0 if argv else UsageError.exit_code
    if argv[0] in ("-V", "--version"):
        print(f"edgevid {__version__}")  # noqa: T201
        return 0
    verb, rest = split_verb(argv)
    command = _command(verb)
    try:
        parser = _parser(verb, command)
        arguments = command.expand(rest, parser) if isinstance(command, Expanding) else rest
        return command.run(parser.parse_args(arguments))
    except ModuleNotFoundError as error:
        raise _missing_package(verb, error) from error


def _command(name: str) -> Command:
    if name not in VERBS:
        # The first of two words is nearer to what was meant than a like word.
        close = [verb for verb in VERBS if verb.startswith(f"{name} ")] or difflib.get_close_matches(name, VERBS, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "Run: edgevid --help."
        raise UsageError(expected="a command", choices=VERBS, got=name, hint=hint)
    try:
        return cast("Command", importlib.import_module(VERBS[name].module))
    except ModuleNotFoundError as error:
        raise _missing_package(name, error) from error


def _missing_package(name: str, error: ModuleNotFoundError) -> Exception:
    """Return the error to raise for a failed import: the package to install, or the import error itself."""
    missing = error.name or ""
    package = missing.partition(".")[0]
    # The verb's own package is missing: devices install edgevid without convert.
    if package and VERBS[name].module.startswith(missing):
        return MissingDependency(
            expected=f"the workstation's half of edgevid for 'edgevid {name}'",
            found="an installation for devices",
            hint="Run it on the workstation.",
        )
    # A missing module of ours, or of a device command, is a bug and no missing extra.
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
        "Run a trained Keras video classifier on a Raspberry Pi: int8, frame by frame, with the\n"
        "answers that it had on the workstation.\n\n"
        f"commands:\n{verbs}\n\n"
        "Run 'edgevid COMMAND --help' for the options of a command, 'edgevid --version' for the version.\n"
        "Start with: edgevid demo"
    )


def _fill_closed_streams() -> None:
    """Open /dev/null for each closed standard stream.

    The next file or socket would get its number, and whatever a library prints would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is missing.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # for the whole process


def _check_stdout() -> None:
    """Reject a standard output that was closed when the interpreter started."""
    if sys.stdout is None:
        raise UsageError(
            expected="an open standard output", found="a closed one", hint="Redirect it to a file or to /dev/null."
        )


def _report_error(message: str, code: int) -> int:
    sys.stderr.write(f"edgevid: {message}\n")
    return code


def _flush_or_silence_stdout() -> None:
    """Discard buffered output that cannot be written.

    The interpreter would retry the write at exit, and then exit with a code of its own (120).
    """
    try:
        sys.stdout.flush()
    except OSError:
        _silence_stdout()


class _StderrHandler(logging.StreamHandler[Any]):
    """A handler that looks `sys.stderr` up for each record: tests and commands replace it."""

    def __init__(self) -> None:
        # Not StreamHandler.__init__: it assigns `stream`, a read-only property here.
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


def _log_to_stderr() -> None:
    """Show the API's log records as plain lines, such as the thread count that it measured."""
    logger = logging.getLogger("edgevid.api")
    # Once per process: tests call `main` many times.
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        logger.addHandler(_StderrHandler())
        logger.setLevel(logging.INFO)


def _silence_stdout() -> None:
    """Redirect stdout to /dev/null, so that the interpreter's flush at exit succeeds.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
