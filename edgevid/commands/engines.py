"""`--threads` and `--delegate`: how the commands that run a bundle choose what runs it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgevid.backends.delegates import AUTO, DELEGATE_HELP, DelegateChoice, parse_delegate
from edgevid.commands.options import positive
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.bundle import Bundle
    from edgevid.engine import Engine

AUTO_THREADS = 0


def tell(text: str) -> None:
    """Say something on standard error.

    Args:
        text: One line.
    """
    sys.stderr.write(f"edgevid: {text}\n")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Declare `--threads`, `args.threads`, and `--delegate`, `args.delegate`.

    Args:
        parser: A verb's.
    """
    parser.add_argument(
        "--threads", type=_threads, default=1, metavar="N|auto", help="interpreter threads; auto: measured once on this machine, then kept (default: 1)"
    )
    parser.add_argument("--delegate", type=_delegate, default=AUTO, metavar="DELEGATE", help=f"what runs the model: {DELEGATE_HELP} (default: auto)")


def open_engine(bundle: Bundle, args: argparse.Namespace, *, fell_back: Callable[[str], None] = lambda _reason: None) -> Engine:
    """Load a bundle as the options ask.

    Args:
        bundle: A checked one.
        args: With `threads` and `delegate`.
        fell_back: Called with the reason where the CPU runs a bundle that has parts for an Edge TPU, at once or when the device fails later. It is
            said on standard error as well.

    Returns:
        An engine, whose `threads` and `interpreter` tell what was taken.

    Raises:
        DelegateError: A delegate that was asked for by name cannot be had.
        BackendError: The interpreter refuses a part.
    """
    threads = args.threads or _measured(bundle, args)
    name = bundle.manifest.name

    def told(reason: str) -> None:
        tell(f"{name} runs on the CPU: {reason}")
        fell_back(reason)

    return _engine(bundle, args.delegate, threads=threads, fell_back=told)


def _engine(bundle: Bundle, choice: DelegateChoice, *, threads: int, fell_back: Callable[[str], None] = lambda _reason: None) -> Engine:
    from edgevid.engine import Engine

    if choice.kind == "xnnpack" or (choice.kind == "auto" and not any(part.edgetpu for part in bundle.manifest.parts)):
        return Engine(bundle, threads=threads)
    from edgevid.backends.choose import choose_backend

    chosen = choose_backend(choice, bundle, threads=threads, lost=fell_back)
    if chosen.reason and chosen.backend is None:
        fell_back(chosen.reason)
    return Engine(bundle, threads=threads, backend=chosen.backend)


def _measured(bundle: Bundle, args: argparse.Namespace) -> int:
    from edgevid.threads import choose_threads

    choice = choose_threads(lambda threads: _engine(bundle, args.delegate, threads=threads))
    if choice.measured:
        times = ", ".join(f"{count}: {ms:.2f} ms" for count, ms in choice.ms.items())
        where = f"kept in {choice.kept}" if choice.kept else "not kept, its folder cannot be written"
        tell(f"{bundle.manifest.name}: threads: {choice.threads}, by measurement ({times}); {where}")
    return choice.threads


def _threads(text: str) -> int:
    return AUTO_THREADS if text == "auto" else positive(text)


def _delegate(text: str) -> DelegateChoice:
    try:
        return parse_delegate(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
