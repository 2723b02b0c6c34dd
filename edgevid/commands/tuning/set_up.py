"""Tune this machine for a benchmark: highest clock, interrupts on the first core.

What the settings were is kept on disk. They come back with edgevid tune reset, and
with the next boot. It needs root. If one setting cannot be changed, none is.
"""

from __future__ import annotations

import argparse
import sys

from edgevid.commands.tuning import show
from edgevid.commands.tuning.state import add_state

EXAMPLES = """examples:
  sudo edgevid tune set && edgevid bench action.edgevid; sudo edgevid tune reset
  edgevid tune set --state state"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_state(parser)


def run(args: argparse.Namespace) -> int:
    """Tune the machine.

    Raises:
        TuningError: A setting cannot be changed, or the machine is tuned already.
    """
    from edgevid.board.tuning import tune

    changed = tune(args.state, show.ROOT)
    for each in changed:
        sys.stdout.write(f"/{each.path}: {each.now} -> {each.tuned}\n")
    sys.stdout.write(f"{len(changed)} settings changed, until edgevid tune reset or the next boot\n")
    return 0
