"""`--threads` and `--delegate`: how commands that run a bundle choose its engine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from edgevid.backends.delegate_option import AUTO, DELEGATE_HELP, DelegateChoice, parse_delegate
from edgevid.commands.options import Option, add_options, positive_int
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.bundle import Bundle
    from edgevid.inference.engine import Engine

AUTO_THREADS = "auto"


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`, `args.threads`, and `--delegate`, `args.delegate`."""
    add_options(parser, ENGINE_OPTIONS)


def engine_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options as keyword arguments of the API.

    Args:
        args: Parsed options with `threads` and `delegate`.

    Returns:
        Keyword arguments of `edgevid.load` and `open_engine`.
    """
    return {"threads": args.threads, "delegate": args.delegate}


def open_engine(bundle: Bundle, args: argparse.Namespace) -> Engine:
    """Load a bundle with the threads and the delegate of the options.

    Args:
        bundle: A checked bundle.
        args: Parsed options with `threads` and `delegate`.

    Returns:
        An engine; its `threads` and `interpreter` report the choice.

    Raises:
        DelegateError: A delegate that was requested by name could not be loaded.
        BackendError: The interpreter rejects a part.
    """
    from edgevid.api.engines import open_engine

    return open_engine(bundle, **engine_options(args))


def _threads(text: str) -> int | str:
    return AUTO_THREADS if text == AUTO_THREADS else positive_int(text)


def _delegate(text: str) -> DelegateChoice:
    try:
        return parse_delegate(text)
    except UsageError as error:
        # argparse prints only this class with its message.
        raise argparse.ArgumentTypeError(str(error)) from error


ENGINE_OPTIONS: tuple[Option, ...] = (
    Option(
        name="--threads",
        type=_threads,
        default=1,
        metavar="N|auto",
        help="number of interpreter threads. auto measures the best number once on this machine and stores it "
        "(default: 1)",
    ),
    Option(
        name="--delegate",
        type=_delegate,
        default=AUTO,
        metavar="DELEGATE",
        help=f"what runs the model: {DELEGATE_HELP} (default: auto)",
    ),
)
