"""Put a new bundle into service on this device, on trial.

The device stores two bundles. The new one is copied next to the bundle in
service, and must pass its self-test on this machine, as the service's user and
within its limit of memory. Then its trial begins:

  - when it has given answers for the trial period, it is confirmed
  - each start of the service uses up one of its starts
  - if it fails or crashes in all of them, the bundle before it returns by itself

A power failure at any moment leaves one complete bundle in service.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial

from edgevid.commands.options import add_bundle, add_slots, add_trial, positive_int

EXAMPLES = """examples:
  edgevid activate action.edgevid --restart
  edgevid activate action.edgevid --slots slots --trial-s 600
  edgevid run slots --source synthetic:7 --max-frames 600"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_slots(parser)
    add_trial(parser)
    parser.add_argument(
        "--starts",
        type=positive_int,
        default=3,
        metavar="N",
        help="how many starts of the service the trial may take (default: 3)",
    )
    parser.add_argument("--restart", action="store_true", help="restart edgevid.service, so that the trial begins now")
    parser.add_argument("--json", action="store_true", help="print the new state as JSON")


def run(args: argparse.Namespace) -> int:
    """Activate the bundle.

    Raises:
        SelftestFailed: The bundle does not reproduce its golden answers here; the one in service stays.
        BundleError: The file is no valid bundle; the one in service stays.
    """
    from edgevid.provision.service import refuse_volatile_root, restart
    from edgevid.schema import to_json
    from edgevid.updates.slots import Slots
    from edgevid.updates.vetting import service_memory_mib, vet

    refuse_volatile_root()
    args.slots.mkdir(parents=True, exist_ok=True)
    check = partial(vet, memory_mib=service_memory_mib())
    state = Slots(args.slots, check).activate(args.bundle, starts=args.starts, period_s=args.trial_s)
    if args.restart:
        restart()
    outcome = f"on trial for {args.trial_s:g} s" if state.trial else "in service"
    sentence = f"{args.bundle.name} passed its self-test and is {outcome}."
    sys.stdout.write((json.dumps(to_json(state)) if args.json else sentence) + "\n")
    return 0
