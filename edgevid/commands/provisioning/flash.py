"""Prepare a card, so that a Raspberry Pi classifies as soon as it is switched on.

The card must contain official Raspberry Pi OS Lite (64-bit). First:
  1. Write Raspberry Pi OS Lite to the card with Raspberry Pi Imager, without
     its customisation. Bookworm and Trixie both work.
  2. Copy an example from firmware_configs/deployments and edit it. This
     DEPLOYMENT names board, camera, bundle, users, network and run options.
     Comments explain each line.

TARGET is one of:
  /dev/sda          the card itself; lsblk shows its name. Disks that are mounted
                    or cannot be removed are rejected
  /media/me/bootfs  its first partition, where your desktop has mounted it
  raspios.img       an unpacked image, to write to cards later. Work on a copy

Without --yes the command shows the plan and writes nothing. It reads back
everything that it writes. It never shows a password. The plan names the secrets
that the card holds, and where the first boot moves them.

The first boot installs from the card, without a network. It logs to
edgevid/first-boot.log on the first partition. If a Pi does not start, see
docs/how-to/first-boot-checklist.md.

If the bundle takes key points, the card gets the networks that find them, from
'edgevid fetch keypoints' on this machine.

Tested in QEMU, on cards that were laid out like the official images but were not
made from them. Not yet tested on a real Pi.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.provisioning.deployment_options import add_deployment, networks_for, read_deployment
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
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    add_deployment(parser)
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="TARGET",
        help="a card such as /dev/sda, its mounted boot partition, or an image file",
    )
    parser.add_argument("--yes", action="store_true", help="write the card; without it, only show the plan")
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="DIR",
        help="folder of the device's wheels (default: download them once and cache them)",
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")


def run(args: argparse.Namespace) -> int:
    """Write the card, or show the plan.

    Raises:
        DeploymentError: The deployment cannot work.
        FlashError: The target must not be written, is too small, or returned other bytes than were
            written.
        UsageError: --yes is missing.
    """
    from edgevid.provision.flash import plan, write
    from edgevid.provision.target import open_target

    deployment = read_deployment(args.deployment)
    target = open_target(args.to)
    networks = networks_for(deployment)
    with plan(deployment, target, wheelhouse=args.wheels, networks=networks) as to_write:
        text = json.dumps(_as_json(deployment, to_write)) if args.json else _as_text(deployment, to_write)
        sys.stdout.write(text + "\n")
        if not args.yes:
            raise UsageError(expected="--yes to write this plan", found="none", hint="Nothing was written.")
        write(to_write, progress=_progress)
    is_image = target.disk is not None and target.disk.is_file()
    first = "Write it to a card, then put the card" if is_image else "Put the card"
    sys.stderr.write(
        f"edgevid: {target.what} is written and read back. "
        f"{first} into the {deployment.facts.model} and switch it on.\n"
    )
    return 0


def _progress(path: str, size: int) -> None:
    if sys.stderr.isatty():
        # Rewrite the same line of the terminal.
        sys.stderr.write(f"\r\x1b[Kwriting {path} ({size / _MIB:.1f} MiB)")
        sys.stderr.flush()


def _as_json(deployment: Deployment, plan: Plan) -> dict[str, Any]:
    from edgevid.provision.device_files import secrets_on_card
    from edgevid.provision.unit import writes_per_hour

    return {
        "target": plan.target.what,
        "release": plan.system.release,
        "first_boot": plan.system.first_boot,
        "board": deployment.board,
        "camera": deployment.camera,
        "network": _network(deployment),
        "secrets": secrets_on_card(deployment),
        "files": {path: source.stat().st_size for path, source in plan.files.items()},
        "bytes": plan.bytes,
        "writes_per_hour": writes_per_hour(deployment),
        "warnings": list(plan.warnings),
    }


def _as_text(deployment: Deployment, plan: Plan) -> str:
    from edgevid.provision.device_files import DEVICE_FOLDER, NETWORKS_FOLDER, secrets_on_card
    from edgevid.provision.unit import writes_sentence
    from edgevid.tables import table

    count = len(deployment.user.ssh_keys)
    networks = sum(path.startswith(f"{DEVICE_FOLDER}/{NETWORKS_FOLDER}/") for path in plan.files)
    console = ", a console password" if deployment.user.password_hash else ""
    logins = f"{count} SSH key{'' if count == 1 else 's'}{console}"
    rows: list[tuple[object, ...]] = [
        ("what", "value"),
        ("target", plan.target.what),
        ("system", plan.system.words),
        ("board", f"{deployment.facts.model}, {deployment.facts.cores} x {deployment.facts.cpu}"),
        ("camera", deployment.optics.title),
        ("bundle", deployment.bundle),
        *([("key points", f"{networks} files, for /opt/edgevid/keypoints")] if networks else []),
        ("device", f"{deployment.hostname}, {deployment.timezone}, user {deployment.user.name} with {logins}"),
        ("network", _network(deployment)),
        ("secrets", "; ".join(secrets_on_card(deployment)) or "none"),
        ("to write", f"{len(plan.files)} files, {plan.bytes / _MIB:.1f} MiB"),
        ("wear", f"once it runs: {writes_sentence(deployment)}"),
    ]
    return "\n".join([table(rows), *(f"Note: {warning}" for warning in plan.warnings)])


def _network(deployment: Deployment) -> str:
    wifi, ethernet = deployment.wifi, deployment.ethernet
    wired = f"Ethernet {(ethernet and ethernet.address) or 'by DHCP'}"
    if wifi is None:
        return wired
    hidden = ", hidden" if wifi.hidden else ""
    return f"Wi-Fi {wifi.ssid!r} ({wifi.country}, {wifi.kind}{hidden}) {wifi.address or 'by DHCP'}, {wired}"
