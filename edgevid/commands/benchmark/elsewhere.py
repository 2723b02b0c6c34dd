"""The options that let a benchmark run on another machine over ssh."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgevid.updates.remote import Device


def add_remote(parser: argparse.ArgumentParser, *, needs_output: bool = True) -> None:
    """Add the options.

    Args:
        parser: The parser.
        needs_output: Whether the help says that `--on` needs `--output`.
    """
    group = parser.add_argument_group(
        "another machine", "The measurement runs over ssh. The device's service is stopped meanwhile."
    )
    needs = "; needs --output" if needs_output else ""
    group.add_argument("--on", metavar="HOST", help=f"measure on a device, as for ssh, such as pi@porch{needs}")
    group.add_argument(
        "--leave-service", action="store_true", help="leave the device's service running; the result is invalid then"
    )
    group.add_argument(
        "--program", metavar="COMMAND", help="what runs edgevid there (default: as edgevid flash sets up)"
    )
    group.add_argument("--ssh-config", type=Path, metavar="FILE", help="configuration file for ssh")


def remote_device(args: argparse.Namespace) -> Device:
    """Return the device of the command line."""
    from edgevid.updates.remote import PROGRAM, Device

    return Device(host=args.on, program=args.program or PROGRAM, ssh_config=args.ssh_config)
