"""Lines on standard output: sentences, or JSON with `--json`."""

from __future__ import annotations

import argparse
import io
import sys
from typing import TYPE_CHECKING, TextIO, cast

from edgevid.commands.running.group import Opened, Setup

if TYPE_CHECKING:
    from edgevid.outputs import Output

# Decisions of several seconds: a reader that pauses for a moment loses none.
_WAITING, _CLOSE_S = 512, 2.0


def add(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`.

    Args:
        parser: The verb's.
    """
    parser.add_argument("--json", action="store_true", help="print every decision and event as one JSON object a line")


def open(args: argparse.Namespace, setup: Setup) -> Opened:
    """Print to standard output, and the live line to standard error.

    Args:
        args: Parsed options.
        setup: Lines name the model where there are several.

    Returns:
        One output.
    """
    several = len(setup.lanes) > 1
    if not (setup.source.live if args.policy is None else args.policy == "live"):  # a file waits for whoever reads, so that not one decision is lost
        return Opened(outputs=[_lines(args, sys.stdout, several=several)])
    from edgevid.outputs.fanout import FanOut
    from edgevid.outputs.runner import Runner
    from edgevid.outputs.sink import Plain

    sys.stdout.flush()
    stream = _unbuffered(sys.stdout)
    runner = Runner("stdout", lambda: Plain(_lines(args, stream, several=several)), decisions=_WAITING, essential=True)
    out = FanOut([runner], close_s=_CLOSE_S)
    setup.reporters.append(out.reports)
    return Opened(outputs=[out])


def _lines(args: argparse.Namespace, stream: TextIO, *, several: bool) -> Output:
    from edgevid.outputs.jsonl import EventLines, JsonLines

    return JsonLines(stream, several=several) if args.json else EventLines(stream, sys.stderr, several=several)


def _unbuffered(stream: TextIO) -> TextIO:
    """The stream's descriptor; the stream itself where it has none, as in a notebook."""
    from edgevid.outputs.jsonl import Descriptor

    try:
        return cast("TextIO", Descriptor(stream.fileno()))
    except io.UnsupportedOperation:
        return stream
