"""Lines on standard output: sentences, or JSON with `--json`."""

from __future__ import annotations

import argparse
import sys

from edgevid.commands.running.group import Opened, Setup


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
    from edgevid.outputs.jsonl import EventLines, JsonLines

    several = len(setup.lanes) > 1
    return Opened(outputs=[JsonLines(sys.stdout, several=several) if args.json else EventLines(sys.stdout, sys.stderr, several=several)])
