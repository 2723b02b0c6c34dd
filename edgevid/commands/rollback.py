"""Return to the bundle before this one.

A device stores two bundles. During a trial, the command ends the trial. Without
one, it puts the other bundle into service.
"""

from __future__ import annotations

import argparse
import json
import sys

from edgevid.commands.options import add_slots

EXAMPLES = """examples:
  edgevid rollback --restart
  edgevid rollback --slots slots --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_slots(parser)
    parser.add_argument("--restart", action="store_true", help="restart edgevid.service, so that the bundle runs now")
    parser.add_argument("--json", action="store_true", help="print the new state as JSON")


def run(args: argparse.Namespace) -> int:
    """Return to the bundle before this one.

    Raises:
        SlotsError: There is no bundle to return to.
    """
    from edgevid.provision.service import restart
    from edgevid.schema import to_json
    from edgevid.updates.slots import Slots

    state = Slots(args.slots).rollback()
    if args.restart:
        restart()
    sentence = f"{state.slots[state.active].name} is in service."
    sys.stdout.write((json.dumps(to_json(state)) if args.json else sentence) + "\n")
    return 0
