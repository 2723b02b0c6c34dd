"""Put a new bundle into service on this device, in a way that cannot brick it.

The bundle is copied beside the one in service and must give its golden answers on this machine. Then it is on trial: each start of the
service counts, and when it has given answers for the trial period it is confirmed. If it fails or crashes instead, the bundle before it
comes back by itself. A power cut at any moment leaves one bundle in service, whole.
"""

from __future__ import annotations

import argparse
import json
import sys

from edgevid.commands.options import add_bundle, add_slots, positive

EXAMPLES = """examples:
  edgevid activate action.edgevid --restart
  edgevid activate action.edgevid --slots slots --trial-s 600
  edgevid run slots --source synthetic:7 --max-frames 600"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_bundle(parser)
    add_slots(parser)
    parser.add_argument(
        "--trial-s",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="answers it must give before it is confirmed (default: 120)",
    )
    parser.add_argument(
        "--starts",
        type=positive,
        default=3,
        metavar="N",
        help="starts of the service in which it must manage that (default: 3)",
    )
    parser.add_argument("--restart", action="store_true", help="restart edgevid.service, so that the trial begins now")
    parser.add_argument("--json", action="store_true", help="print the new state as JSON")


def run(args: argparse.Namespace) -> int:
    """Activate the bundle.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        SelftestFailed: The bundle does not give its golden answers here; the one in service stays.
        BundleError: It is no whole bundle; the one in service stays.
    """
    from edgevid.provision.service import refuse_volatile_root, restart
    from edgevid.schema import to_json
    from edgevid.updates.slots import Slots
    from edgevid.updates.vetting import vet

    refuse_volatile_root()
    args.slots.mkdir(parents=True, exist_ok=True)
    state = Slots(args.slots, vet).activate(args.bundle, starts=args.starts, period_s=args.trial_s)
    if args.restart:
        restart()
    trial = (
        f"passed its self-test and is on trial for {args.trial_s:g} s"
        if state.trial
        else "passed its self-test and is in service"
    )
    sys.stdout.write((json.dumps(to_json(state)) if args.json else f"{args.bundle.name} {trial}.") + "\n")
    return 0
