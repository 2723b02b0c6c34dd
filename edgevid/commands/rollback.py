"""Go back to the bundle before this one: ends a trial, or without one puts the other of the two kept bundles into service."""

from __future__ import annotations

import argparse
import json
import sys

from edgevid.commands.options import add_slots

EXAMPLES = """examples:
  edgevid rollback --restart
  edgevid rollback --slots slots --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_slots(parser)
    parser.add_argument("--restart", action="store_true", help="restart edgevid.service, so that it runs now")
    parser.add_argument("--json", action="store_true", help="print the new state as JSON")


def run(args: argparse.Namespace) -> int:
    """Go back.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        SlotsError: There is no bundle to go back to.
    """
    from edgevid.provision.service import restart
    from edgevid.schema import to_json
    from edgevid.updates.slots import Slots

    state = Slots(args.slots).rollback()
    if args.restart:
        restart()
    sys.stdout.write(
        (json.dumps(to_json(state)) if args.json else f"{state.slots[state.active].name} is in service.") + "\n"
    )
    return 0
