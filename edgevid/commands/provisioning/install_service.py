"""Install edgevid as a service on this Raspberry Pi.

The command does what the first boot of a flashed card does. Packages of pinned
versions go to /opt/edgevid, and the bundle must pass its self-test. Then the unit
starts, now and at each boot. Users, keys, host name and network of this Pi stay
as they are; those of the deployment are ignored.

Run the command with sudo. Without --yes it shows the plan and installs nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edgevid.commands.provisioning.deployment_options import add_deployment, networks_for, read_deployment
from edgevid.errors import UsageError

EXAMPLES = """examples:
  edgevid install-service porch.toml
  edgevid install-service porch.toml --yes
  edgevid install-service porch.toml --wheels wheels --yes"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_deployment(parser)
    parser.add_argument("--yes", action="store_true", help="install; without it, only show the plan")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="folder of the device's wheels (default: download them)"
    )


def run(args: argparse.Namespace) -> int:
    """Install the service, or show the plan.

    Raises:
        FlashError: This machine is another board, or the installation failed.
        SlotsError: The root file system is an overlay in memory, which forgets everything at
            shutdown.
        UsageError: --yes is missing, or the user is not root.
    """
    from edgevid.provision.service import check_machine, install, refuse_volatile_root
    from edgevid.provision.unit import writes_sentence

    deployment = read_deployment(args.deployment, on_card=False)
    system, networks = check_machine(deployment), networks_for(deployment)
    refuse_volatile_root(bundles_only=False)
    sys.stdout.write(
        f"{deployment.optics.title} on this {deployment.facts.model}, {system.words}; {deployment.bundle}; "
        f"once it runs: {writes_sentence(deployment)}\n"
    )
    if not args.yes:
        raise UsageError(expected="--yes to install this", found="none", hint="Nothing was done.")
    if os.geteuid() != 0:
        raise UsageError(
            expected="root, who may install a service", found="another user", hint="Run it again with sudo."
        )
    log, needs_restart = install(deployment, system, wheelhouse=args.wheels, networks=networks)
    sys.stdout.write(log)
    if needs_restart:
        sys.stdout.write("Restart the Pi: config.txt or cmdline.txt was changed. Run: sudo reboot\n")
    return 0
