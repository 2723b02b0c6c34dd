"""Install edgevid as a service on this Raspberry Pi, as a flashed card does at its first boot.

Packages of pinned versions go into /opt/edgevid, the bundle must pass its self-test, and the unit starts now and at each boot. Users, keys,
hostname and network of the deployment are left as this Pi has them. Run it with sudo; without --yes the plan is shown and nothing is done.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edgevid.commands.deployment_options import add_deployment, read_deployment
from edgevid.errors import UsageError

EXAMPLES = """examples:
  edgevid install-service porch.toml
  edgevid install-service porch.toml --yes
  edgevid install-service porch.toml --wheels wheels --yes"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_deployment(parser)
    parser.add_argument("--yes", action="store_true", help="install; without it the plan is shown and nothing is done")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="the device's wheels (default: downloaded)")


def run(args: argparse.Namespace) -> int:
    """Install the service.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        FlashError: This machine is another board, or the installation failed.
        SlotsError: The root file system is an overlay in memory, which keeps nothing.
        UsageError: --yes was not given, or the caller is not root.
    """
    from edgevid.provision.service import check_machine, install, refuse_volatile_root
    from edgevid.provision.unit import writes_sentence

    deployment = read_deployment(args.deployment)
    system = check_machine(deployment)
    refuse_volatile_root(bundles_only=False)
    plan = f"{deployment.optics.title} on this {deployment.facts.model}, {system.words}; {deployment.bundle}; once it runs: {writes_sentence(deployment)}"
    sys.stdout.write(f"{plan}\n")
    if not args.yes:
        raise UsageError(expected="--yes to install this", found="none", hint="Nothing was done.")
    if os.geteuid() != 0:
        raise UsageError(
            expected="to run as root, who may install a service", found="another user", hint="Run it again with sudo."
        )
    said, needs_restart = install(deployment, system, wheelhouse=args.wheels)
    sys.stdout.write(
        said + ("Restart the Pi: config.txt or cmdline.txt was changed. Run: sudo reboot\n" if needs_restart else "")
    )
    return 0
