"""`--threads` and `--delegate`: how the commands that run a bundle choose what runs it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from edgevid.backends.delegates import AUTO, DELEGATE_HELP, DelegateChoice, parse_delegate
from edgevid.commands.options import positive
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.bundle import Bundle
    from edgevid.inference.engine import Engine

AUTO_THREADS = "auto"


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Declare `--threads`, `args.threads`, and `--delegate`, `args.delegate`.

    Args:
        parser: A verb's.
    """
    parser.add_argument(
        "--threads",
        type=_threads,
        default=1,
        metavar="N|auto",
        help="interpreter threads; auto: measured once on this machine, then kept (default: 1)",
    )
    parser.add_argument(
        "--delegate",
        type=_delegate,
        default=AUTO,
        metavar="DELEGATE",
        help=f"what runs the model: {DELEGATE_HELP} (default: auto)",
    )


def engine_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options as the API takes them.

    Args:
        args: With `threads` and `delegate`.

    Returns:
        Keyword arguments of `edgevid.load` and `open_engine`.
    """
    return {"threads": args.threads, "delegate": args.delegate}


def open_engine(bundle: Bundle, args: argparse.Namespace) -> Engine:
    """Load a bundle as the options ask.

    Args:
        bundle: A checked one.
        args: With `threads` and `delegate`.

    Returns:
        An engine; its `threads` and `interpreter` say what was chosen.

    Raises:
        DelegateError: A delegate asked for by name could not be loaded.
        BackendError: The interpreter rejects a part.
    """
    from edgevid.api.engines import open_engine

    return open_engine(bundle, **engine_options(args))


def _threads(text: str) -> int | str:
    return AUTO_THREADS if text == AUTO_THREADS else positive(text)


def _delegate(text: str) -> DelegateChoice:
    try:
        return parse_delegate(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
