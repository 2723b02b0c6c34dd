"""Build a whole image of a card from Debian packages, for boards with a USB camera.

DEPLOYMENT names board, camera, bundle, users and options, as for `edgevid flash`. The image holds Debian, edgevid and its packages, the
bundle in its slot and the service; cloud-init applies the rest at the first boot, without a network. The same input gives the same bytes.
Beside the image lie a list of all that is in it (SPDX) and the manifest that Raspberry Pi Imager needs to offer its own settings: open the
.rpi-imager-manifest with it, or write the image to a card as any other.

Boards: 3b, 3b-plus, zero-2-w, 4b, 400, cm4; the kernel of Debian 12 does not start a 5. Cameras: uvc, for that kernel has no driver for CSI
cameras. For a 5 or a CSI camera use `edgevid flash` with Raspberry Pi OS, or the layer in firmware_configs/rpi-image-gen. One image serves many
cards, but all have the same host name, user and keys; each makes its own SSH host keys.

The first image bootstraps Debian under emulation, which takes minutes and is kept; each one after it takes less than a minute, and its
compression another. The image holds the secrets of the deployment. It was booted in QEMU, and on no Pi.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.deployment_options import add_deployment, read_deployment

if TYPE_CHECKING:
    from edgevid.provision.image.assemble import BuiltImage

EXAMPLES = """examples:
  edgevid image build usb-camera-4b.toml -o gate.img.xz
  edgevid image build usb-camera-4b.toml -o gate.img --cache build/cache
  edgevid image build usb-camera-4b.toml -o gate.img.xz --wheels wheels --json"""
_MIB = 2**20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options.

    Args:
        parser: The verb's own.
    """
    parser.epilog = EXAMPLES
    parser.add_argument("action", choices=("build",), help="what to do")
    add_deployment(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="IMAGE", help="the image, .img.xz or .img")
    parser.add_argument("--suite", default="bookworm", help="the release of Debian (default: bookworm)")
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where the bootstrapped Debian is kept (default: in your cache folder)",
    )
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="the device's wheels (default: downloaded once and kept)"
    )
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(args: argparse.Namespace) -> int:
    """Build an image.

    Args:
        args: Parsed options.

    Returns:
        0.

    Raises:
        DeploymentError: The deployment cannot work, or not with Debian.
        MissingDependency: A program is missing.
        FlashError: A step failed; no image is left.
    """
    from edgevid.provision import wheels
    from edgevid.provision.image import assemble, debian_base, recipe

    deployment, made_of, out = read_deployment(args.deployment), recipe.recipe(args.suite), args.output.absolute()
    assemble.check(deployment, made_of, out)
    debian = debian_base.bootstrap(
        made_of, (args.cache or debian_base.cache_folder()).absolute(), epoch_s=assemble.EPOCH_S, progress=_say
    )
    _say("collecting the device's packages")
    found = wheels.collect(made_of.python, wheelhouse=args.wheels)
    with tempfile.TemporaryDirectory() as folder:
        own, packed = wheels.pack(Path(folder))
        made = assemble.assemble(deployment, made_of, out, wheels={own: packed, **found}, debian=debian, progress=_say)
    sys.stdout.write((json.dumps(_as_json(made)) if args.json else _as_text(made)) + "\n")
    return 0


def _say(step: str) -> None:
    sys.stderr.write(f"edgevid: {step}\n")
    sys.stderr.flush()


def _as_json(made: BuiltImage) -> dict[str, Any]:
    return {
        "image": str(made.image),
        "sbom": str(made.sbom),
        "manifest": str(made.manifest),
        "bytes": made.bytes,
        "sha256": made.sha256,
        "packed_bytes": made.packed_bytes,
        "packages": {package.name: package.version for package in made.wheels},
    }


def _as_text(made: BuiltImage) -> str:
    from edgevid.tables import table

    rows: list[tuple[object, ...]] = [
        ("what", "value"),
        ("image", f"{made.image}, {made.packed_bytes / _MIB:.0f} MiB"),
        ("on a card", f"{made.bytes / _MIB:.0f} MiB, SHA-256 {made.sha256}"),
        ("what is in it", str(made.sbom)),
        ("for Raspberry Pi Imager", str(made.manifest)),
    ]
    return table(rows)
