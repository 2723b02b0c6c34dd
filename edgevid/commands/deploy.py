"""Bring a bundle to a device over ssh: it goes live on trial, and the one before it comes back by itself when it fails.

The bundle is checked here, sent, and must give its golden answers there. Then the service is restarted with it, and this command waits until
it has proven itself. Exit code 0 where it is confirmed, 3 where its self-test failed there, 1 where it was taken out of service again.
It uses the system's ssh with your keys and configuration, and never asks.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import DEVICE_FOLDER, add_bundle

if TYPE_CHECKING:
    from edgevid.updates.slots import State

EXAMPLES = """examples:
  edgevid deploy action.edgevid --to pi@edgevid-porch.local
  edgevid deploy action.edgevid --to porch --trial-s 600
  edgevid deploy action.edgevid --to porch --no-wait"""
# The self-test before it, and starts that are repeated.
_PATIENCE, _PATIENCE_S = 4, 300


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_bundle(parser)
    parser.add_argument(
        "--to", required=True, metavar="HOST", help="the device as ssh takes it, as pi@edgevid-porch.local"
    )
    parser.add_argument(
        "--trial-s",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="answers it must give before it is confirmed (default: 120)",
    )
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the end of the trial")
    parser.add_argument(
        "--no-restart", action="store_true", help="leave the service alone: the trial begins when it next starts"
    )
    parser.add_argument(
        "--slots",
        default=DEVICE_FOLDER,
        metavar="DIR",
        help=f"where the device keeps its bundles (default: {DEVICE_FOLDER})",
    )
    parser.add_argument(
        "--program", metavar="COMMAND", help="how edgevid is called there (default: that of a flashed card, by sudo)"
    )
    parser.add_argument("--ssh-config", type=Path, metavar="FILE", help="a configuration of ssh in place of yours")
    parser.add_argument("--json", action="store_true", help="print the device's state as JSON")


def run(args: argparse.Namespace) -> int:
    """Deploy the bundle.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        BundleError: It is no whole bundle; nothing was sent.
        SelftestFailed: It does not give its golden answers on the device.
        DeployError: The device cannot be reached, or has taken the bundle out of service again.
    """
    from edgevid import bundle
    from edgevid.schema import to_json
    from edgevid.updates.remote import PROGRAM, Device, wait

    bundle.read(args.bundle)
    device = Device(host=args.to, program=args.program or PROGRAM, slots=args.slots, ssh_config=args.ssh_config)
    state = device.activate(device.send(args.bundle), trial_s=args.trial_s, restart=not args.no_restart)
    if state.trial and not args.no_wait:
        _progress(state)
        state = wait(device, args.bundle.name, limit_s=_PATIENCE * args.trial_s + _PATIENCE_S, look=_progress)
    outcome = f"is on trial for {args.trial_s:g} s" if state.trial else "is in service"
    sys.stdout.write(
        (json.dumps(to_json(state)) if args.json else f"{args.bundle.name} {outcome} on {args.to}.") + "\n"
    )
    return 0


def _progress(state: State) -> None:
    if sys.stderr.isatty() and state.trial:
        sys.stderr.write(f"\r\x1b[Kself-test passed; on trial, {state.trial.starts_left} more starts")
        sys.stderr.flush()
