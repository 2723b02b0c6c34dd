"""Build a whole image of a card from Debian packages, for boards with a USB camera.

DEPLOYMENT names board, camera, bundle, users and options, as for edgevid flash.
The image contains Debian, edgevid with its packages, the bundle and the service.
At the first boot cloud-init applies the rest, without a network. Two builds of
the same input are equal, byte for byte.

Supported boards: 3b, 3b-plus, zero-2-w, 4b, 400, cm4, with a USB camera (uvc).
The kernel of Debian 12 has no driver for CSI cameras and does not start a Pi 5.
For those use edgevid flash with Raspberry Pi OS, or the layer in
firmware_configs/rpi-image-gen.

Two files are written next to the image: a list of its contents (SPDX), and a
.rpi-imager-manifest. Open the manifest with Raspberry Pi Imager to use its own
settings, or write the image to a card like any other.

All cards of one image share host name, user and keys; each creates its own SSH
host keys. The image contains the secrets of the deployment.

The first build bootstraps Debian under emulation, which takes minutes, and
caches it. Later builds take less than a minute, plus a minute to compress.

Tested in QEMU. Not yet tested on a real Pi.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevid.commands.provisioning.deployment_options import add_deployment, networks_for, read_deployment

if TYPE_CHECKING:
    from edgevid.provision.image.assemble import BuiltImage

EXAMPLES = """examples:
  edgevid image build usb-camera-4b.toml -o gate.img.xz
  edgevid image build usb-camera-4b.toml -o gate.img --cache build/cache
  edgevid image build usb-camera-4b.toml -o gate.img.xz --wheels wheels --json"""
_MIB = 2**20


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.epilog = EXAMPLES
    parser.add_argument("action", choices=("build",), help="the only action: build an image")
    add_deployment(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="IMAGE", help="the image to write, .img.xz or .img"
    )
    parser.add_argument("--suite", default="bookworm", help="release of Debian (default: bookworm)")
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder for the bootstrapped Debian (default: in your cache folder)",
    )
    parser.add_argument(
        "--wheels",
        type=Path,
        metavar="DIR",
        help="folder of the device's wheels (default: download them once and cache them)",
    )
    parser.add_argument("--json", action="store_true", help="print the written files as JSON")


def run(args: argparse.Namespace) -> int:
    """Build an image.

    Raises:
        DeploymentError: The deployment cannot work, or cannot work with Debian.
        MissingDependency: A program is missing.
        FlashError: A step failed; no image is left.
    """
    from edgevid.provision import wheels
    from edgevid.provision.image import assemble, debian_base, recipe

    deployment, image_recipe, out = read_deployment(args.deployment), recipe.recipe(args.suite), args.output.absolute()
    # Before the bootstrap, which takes minutes.
    assemble.check(deployment, image_recipe, out)
    networks = networks_for(deployment)
    cache = (args.cache or debian_base.cache_folder()).absolute()
    debian = debian_base.bootstrap(image_recipe, cache, epoch_s=assemble.EPOCH_S, progress=_report_step)
    _report_step("collecting the device's packages")
    pinned = wheels.collect(image_recipe.python, wheelhouse=args.wheels)
    with tempfile.TemporaryDirectory() as folder:
        own, wheel = wheels.pack(Path(folder))
        image = assemble.assemble(
            deployment,
            image_recipe,
            out,
            wheels={own: wheel, **pinned},
            debian=debian,
            networks=networks,
            progress=_report_step,
        )
    sys.stdout.write((json.dumps(_as_json(image)) if args.json else _as_text(image)) + "\n")
    return 0


def _report_step(step: str) -> None:
    sys.stderr.write(f"edgevid: {step}\n")
    sys.stderr.flush()


def _as_json(image: BuiltImage) -> dict[str, Any]:
    return {
        "image": str(image.image),
        "sbom": str(image.sbom),
        "manifest": str(image.manifest),
        "bytes": image.bytes,
        "sha256": image.sha256,
        "packed_bytes": image.packed_bytes,
        "packages": {package.name: package.version for package in image.wheels},
    }


def _as_text(image: BuiltImage) -> str:
    from edgevid.tables import table

    rows: list[tuple[object, ...]] = [
        ("what", "value"),
        ("image", f"{image.image}, {image.packed_bytes / _MIB:.0f} MiB"),
        ("on a card", f"{image.bytes / _MIB:.0f} MiB, SHA-256 {image.sha256}"),
        ("contents (SPDX)", str(image.sbom)),
        ("for Raspberry Pi Imager", str(image.manifest)),
    ]
    return table(rows)
