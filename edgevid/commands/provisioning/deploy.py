"""Send a bundle to a device over ssh, and wait until it has passed its trial there.

  1. The bundle is checked here and sent.
  2. It must pass its self-test on the device.
  3. The service restarts with it, on trial.
  4. It is confirmed after it has given answers for the trial period. If it
     fails before, the device returns to the bundle before it.

The exit code is 0 if the bundle is confirmed (with --no-wait: on trial), 3 if its
self-test failed, and 1 if the device returned to the bundle before it or cannot
be reached.

The command runs the system's ssh with your keys and your configuration. It
never asks for a password.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgevid.commands.options import DEVICE_FOLDER, add_bundle, add_trial

if TYPE_CHECKING:
    from edgevid.updates.slots import State

EXAMPLES = """examples:
  edgevid deploy action.edgevid --to pi@edgevid-porch.local
  edgevid deploy action.edgevid --to porch --trial-s 600
  edgevid deploy action.edgevid --to porch --no-wait"""
# A start that fails begins the trial again: wait for several periods, and for the starts
# themselves.
_TRIAL_PERIODS, _STARTS_S = 4, 300


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_bundle(parser)
    parser.add_argument(
        "--to", required=True, metavar="HOST", help="the device, as for ssh, such as pi@edgevid-porch.local"
    )
    add_trial(parser)
    parser.add_argument(
        "--no-wait", action="store_true", help="return when the trial begins, without waiting for its end"
    )
    parser.add_argument(
        "--no-restart", action="store_true", help="do not restart the service: the trial begins at its next start"
    )
    parser.add_argument(
        "--slots",
        default=DEVICE_FOLDER,
        metavar="DIR",
        help=f"folder where the device stores its bundles (default: {DEVICE_FOLDER})",
    )
    parser.add_argument(
        "--program",
        metavar="COMMAND",
        help="the command that runs edgevid there (default: that of a flashed card, with sudo)",
    )
    parser.add_argument(
        "--ssh-config", type=Path, metavar="FILE", help="a configuration file for ssh, instead of yours"
    )
    parser.add_argument("--json", action="store_true", help="print the device's state as JSON")


def run(args: argparse.Namespace) -> int:
    """Deploy the bundle.

    Raises:
        BundleError: The file is no valid bundle; nothing was sent.
        SelftestFailed: The bundle does not reproduce its golden answers on the device.
        DeployError: The device cannot be reached, or has taken the bundle out of service again.
    """
    from edgevid import bundle
    from edgevid.schema import to_json
    from edgevid.updates.remote import PROGRAM, Device, wait

    bundle.read(args.bundle)  # reject a damaged file before it is sent
    device = Device(host=args.to, program=args.program or PROGRAM, slots=args.slots, ssh_config=args.ssh_config)
    state = device.activate(device.send(args.bundle), trial_s=args.trial_s, restart=not args.no_restart)
    if state.trial and not args.no_wait:
        _progress(state)
        state = wait(device, args.bundle.name, limit_s=_TRIAL_PERIODS * args.trial_s + _STARTS_S, look=_progress)
    outcome = f"is on trial for {args.trial_s:g} s" if state.trial else "is in service"
    sentence = f"{args.bundle.name} {outcome} on {args.to}."
    sys.stdout.write((json.dumps(to_json(state)) if args.json else sentence) + "\n")
    return 0


def _progress(state: State) -> None:
    if sys.stderr.isatty() and state.trial:
        # Rewrite the same line of the terminal.
        sys.stderr.write(f"\r\x1b[Kself-test passed; on trial, {state.trial.starts_left} more starts")
        sys.stderr.flush()
