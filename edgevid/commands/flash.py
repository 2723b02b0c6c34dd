"""Prepare a card with Raspberry Pi OS Lite (64-bit) so that a Pi starts classifying when it is switched on, without a network.

First write Raspberry Pi OS Lite to the card, with Raspberry Pi Imager and without its customisation, and copy an example from
firmware_configs/deployments to a DEPLOYMENT of yours: board, camera, bundle, users, network and options, each line explained. TARGET is

  /dev/sda         the card itself; `lsblk` shows its name. A disk that cannot be taken out, or is mounted, is refused
  /media/me/bootfs  its first partition, where your desktop has mounted it
  raspios.img      an unpacked image, to be written to cards afterwards; try it on a copy first

Bookworm and Trixie are told apart by looking. Without --yes the plan is shown and nothing is written; everything that is written is read back.
No password is written or shown. The first boot installs from the card, without a network, and notes what it did beside what it installed:
edgevid/first-boot.log on the first partition. If a Pi does not come up, docs/first-boot.md says where to look.

Cards that were written so boot in QEMU. They were laid out as the official images and were not these; no Pi has started from one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.deployment_options import add_deployment, read_deployment
from edgevid.errors import UsageError

if TYPE_CHECKING:
    from edgevid.provision.deployment import Deployment
    from edgevid.provision.flash import Plan

EXAMPLES = """examples:
  edgevid flash usb-camera-4b.toml --to /dev/sda
  edgevid flash usb-camera-4b.toml --to /dev/sda --yes
  edgevid flash usb-camera-4b.toml --to /media/me/bootfs --yes
  edgevid flash usb-camera-4b.toml --to raspios-lite-arm64.img --wheels wheels --yes"""
_MIB = 2**20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    add_deployment(parser)
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="TARGET",
        help="a mounted boot partition, an image file, or a card such as /dev/sda",
    )
    parser.add_argument("--yes", action="store_true", help="write; without it the plan is shown and nothing is written")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="the device's wheels (default: downloaded once and kept)"
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")


def run(args: argparse.Namespace) -> int:
    """Flash, or show what would be written.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        DeploymentError: The deployment cannot work.
        FlashError: The target must not be written, does not fit, or gave back other bytes.
        UsageError: --yes was not given.
    """
    from edgevid.provision.flash import plan, write
    from edgevid.provision.target import open_target

    deployment = read_deployment(args.deployment)
    target = open_target(args.to)
    with plan(deployment, target, wheelhouse=args.wheels) as made:
        sys.stdout.write((json.dumps(_as_json(deployment, made)) if args.json else _as_text(deployment, made)) + "\n")
        if not args.yes:
            raise UsageError(expected="--yes to write this plan", found="none", hint="Nothing was written.")
        write(made, progress=_progress)
    first = "Write it to a card, and put that" if target.disk is not None and target.disk.is_file() else "Put the card"
    sys.stderr.write(
        f"edgevid: {target.what} is written and read back. {first} into the {deployment.facts.model} and switch it on.\n"
    )
    return 0


def _progress(path: str, size: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[Kwriting {path} ({size / _MIB:.1f} MiB)")
        sys.stderr.flush()


def _as_json(deployment: Deployment, made: Plan) -> dict[str, Any]:
    from edgevid.provision.unit import writes_per_hour

    return {
        "target": made.target.what,
        "release": made.system.release,
        "first_boot": made.system.first_boot,
        "board": deployment.board,
        "camera": deployment.camera,
        "files": {path: source.stat().st_size for path, source in made.files.items()},
        "bytes": made.bytes,
        "writes_per_hour": writes_per_hour(deployment),
        "warnings": list(made.warnings),
    }


def _as_text(deployment: Deployment, made: Plan) -> str:
    from edgevid.provision.unit import writes_sentence
    from edgevid.tables import table

    count = len(deployment.user.ssh_keys)
    logins = f"{count} SSH key{'' if count == 1 else 's'}" + (
        ", a console password" if deployment.user.password_hash else ""
    )
    rows: list[tuple[object, ...]] = [
        ("what", "value"),
        ("target", made.target.what),
        ("system", made.system.words),
        ("board", f"{deployment.facts.model}, {deployment.facts.cores} x {deployment.facts.cpu}"),
        ("camera", deployment.optics.title),
        ("bundle", deployment.bundle),
        ("device", f"{deployment.hostname}, {deployment.timezone}, user {deployment.user.name} with {logins}"),
        ("network", f"Wi-Fi {deployment.wifi.ssid!r} ({deployment.wifi.country})" if deployment.wifi else "Ethernet"),
        ("to write", f"{len(made.files)} files, {made.bytes / _MIB:.1f} MiB"),
        ("wear", f"once it runs: {writes_sentence(deployment)}"),
    ]
    return "\n".join([table(rows), *(f"Note: {warning}" for warning in made.warnings)])
