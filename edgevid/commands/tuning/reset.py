"""Set this machine as it was before edgevid tune set. It needs root."""

from __future__ import annotations

import argparse
import sys

from edgevid.commands.tuning import show
from edgevid.commands.tuning.state import add_state

EXAMPLES = """examples:
  edgevid tune reset"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Set the machine as it was.

    Raises:
        TuningError: A setting cannot be changed.
    """
    from edgevid.board.tuning import reset

    count = reset(args.state, show.ROOT)
    sys.stdout.write(f"{count} settings as they were\n" if count else "This machine was not tuned.\n")
    return 0
