"""Assembly of an image from a deployment; the main path, from top to bottom."""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevid import atomic
from edgevid.errors import UsageError
from edgevid.provision.deployment import Deployment
from edgevid.provision.device_files import NO_NETWORKS, Networks
from edgevid.provision.image import contents, debian_base, disk, host_tools, imager, python_packages, recipe, sbom
from edgevid.provision.image.recipe import ImageRecipe
from edgevid.provision.image.tar_tree import Archive, Tree, lay_over
from edgevid.provision.wheels import Pin
from edgevid.updates.slots import sha256

PROGRAMS = ("sfdisk", "mformat", "mcopy", "mke2fs", "cpio")
PACKED, PLAIN = ".img.xz", ".img"
# 2026-01-01, the latest time of any file. A fixed date keeps the day of the build out of every byte.
EPOCH_S = 1767225600
# One thread per core. A fixed block size gives the same bytes for any number of threads.
# The preset is the choice of docs/explanation/decisions/0029-image-compression.md.
_XZ = ("xz", "--threads=0", "--block-size=24MiB", "-1", "--stdout")
# Namespace of the UUIDs that are derived from the content of a card.
_NAMESPACE = uuid.UUID("5e0f2c1a-6f0e-4b5e-9a52-0c3f5c1d7e11")


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image and the files next to it.

    Attributes:
        image: The image, packed or plain.
        sbom: List of its packages (SPDX).
        manifest: Description for Raspberry Pi Imager.
        bytes: Size on a card, unpacked.
        sha256: Hash of the unpacked image, in hexadecimal.
        packed_bytes: Size of the file.
        wheels: The installed Python packages.
    """

    image: Path
    sbom: Path
    manifest: Path
    bytes: int
    sha256: str
    packed_bytes: int
    wheels: tuple[python_packages.Package, ...]


def check(deployment: Deployment, made_of: ImageRecipe, out: Path) -> None:
    """Reject an image that cannot be built, before the build takes minutes.

    Args:
        deployment: The device.
        made_of: The recipe of a Debian release.
        out: The image.

    Raises:
        UsageError: The name of the image has an unknown ending, or its folder does not exist.
        DeploymentError: Nobody could log in, Debian does not support the board or the camera, or this Python
            has another version than the image's.
        MissingDependency: A program is missing.
    """
    if not out.name.endswith((PACKED, PLAIN)):
        raise UsageError(expected=f"an image's name, ending in {PACKED} or {PLAIN}", got=out.name, found=out.name)
    if not out.parent.is_dir():
        raise UsageError(expected="a folder for the image", found=f"none at {out.parent}", path=out.parent)
    deployment.reject_example_key()
    recipe.check(made_of, deployment)
    debian_base.check_python(made_of)
    host_tools.require_programs([*PROGRAMS, "xz"] if out.name.endswith(PACKED) else PROGRAMS)


def assemble(
    deployment: Deployment,
    made_of: ImageRecipe,
    out: Path,
    *,
    wheels: Mapping[Pin, Path],
    debian: Path,
    networks: Networks = NO_NETWORKS,
    progress: Callable[[str], None] = lambda step: None,
) -> BuiltImage:
    """Build an image.

    Args:
        deployment: The device.
        made_of: The recipe of a Debian release.
        out: The image; replaced only after every step succeeded.
        wheels: The device's wheels by their pins, including edgevid's own.
        debian: The base tar from `debian_base.bootstrap`.
        networks: The networks of the bundle's key points.
        progress: Called with a description of each step.

    Returns:
        The files that were written.

    Raises:
        EdgevidError: A step failed. No file was written.
    """
    # The scratch folder is on the file system of the image, so the last step is a rename.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".edgevid-image-") as folder, Archive(debian) as archive:
        scratch, tree = Path(folder), Tree()
        progress("installing packages and the bundle")
        installed = python_packages.install(tree, wheels, scratch, python=made_of.python, epoch_s=EPOCH_S)
        contents.add_root_files(tree, archive, deployment, made_of, networks=networks)
        boot = contents.boot_files(archive, deployment, made_of, epoch_s=EPOCH_S)
        progress("writing the file systems")
        raw = _write_card(scratch, debian, tree, boot, made_of)
        raw_sha256, raw_bytes = sha256(raw), raw.stat().st_size
        document = sbom.document(
            _stem(out),
            archive=archive,
            suite=made_of.suite,
            wheels=installed,
            bundle=_bundle(deployment),
            epoch_s=EPOCH_S,
            image_sha256=raw_sha256,
        )
        if out.name.endswith(PACKED):
            progress("compressing")
        packed = _pack(raw) if out.name.endswith(PACKED) else raw
        manifest = _manifest(deployment, made_of, out, raw_bytes=raw_bytes, raw_sha256=raw_sha256, packed=packed)
        return _publish(
            out, packed, document, manifest, raw_bytes=raw_bytes, raw_sha256=raw_sha256, installed=installed
        )


def _write_card(scratch: Path, debian: Path, tree: Tree, boot: dict[str, bytes], made_of: ImageRecipe) -> Path:
    root, raw = scratch / "root.tar", scratch / "card.img"
    used = lay_over(debian, tree, root, epoch_s=EPOCH_S, left_out=contents.LEFT_OUT)
    layout = disk.DiskLayout(boot_mib=made_of.boot_mib, root_mib=disk.root_mib(used, made_of.spare_mib))
    disk.write(raw, layout, _identity(root, boot), boot=boot, root=root, epoch_s=EPOCH_S)
    # The tar is as large as the root file system; compression needs the space next.
    root.unlink()
    return raw


def _identity(root: Path, boot: dict[str, bytes]) -> disk.DiskIdentity:
    """Derive the card's identifiers from its content: random ones would make two builds differ."""
    content = hashlib.sha256(sha256(root).encode())
    for name in sorted(boot):
        content.update(name.encode() + b"\0" + hashlib.sha256(boot[name]).digest())
    digest = content.hexdigest()
    return disk.DiskIdentity(disk=digest[:8], volume=digest[8:16], root=str(uuid.uuid5(_NAMESPACE, digest)))


def _pack(raw: Path) -> Path:
    packed = raw.with_suffix(".xz")
    with packed.open("wb") as handle:
        host_tools.run((*_XZ, raw), epoch_s=EPOCH_S, stdout=handle)
    raw.unlink()
    return packed


def _manifest(
    deployment: Deployment, made_of: ImageRecipe, out: Path, *, raw_bytes: int, raw_sha256: str, packed: Path
) -> dict[str, object]:
    return imager.manifest(
        f"edgevid: {deployment.hostname}",
        f"{Path(deployment.bundle).name} with {deployment.optics.title}, Debian {made_of.suite}",
        image=out,
        boards=tuple(made_of.device_trees),
        size=raw_bytes,
        sha256=raw_sha256,
        packed=packed.stat().st_size,
        packed_sha256=sha256(packed),
        epoch_s=EPOCH_S,
    )


def _publish(
    out: Path,
    packed: Path,
    document: dict[str, object],
    manifest: dict[str, object],
    *,
    raw_bytes: int,
    raw_sha256: str,
    installed: tuple[python_packages.Package, ...],
) -> BuiltImage:
    """Rename the image and the files next to it into place, or leave none of them."""
    document_path = out.with_name(f"{_stem(out)}.spdx.json")
    manifest_path = out.with_name(f"{_stem(out)}.rpi-imager-manifest")
    packed_bytes = packed.stat().st_size
    # The image holds the deployment's secrets. Until here it was in a folder with mode 0700.
    packed.chmod(0o600)
    beside = {document_path: document, manifest_path: manifest}
    # A build that a power cut interrupts is repeated, so nothing here is flushed.
    prepared = {
        path: atomic.prepare(
            packed.with_name(path.name), [f"{json.dumps(content, indent=1)}\n".encode()], durable=False
        )
        for path, content in beside.items()
    }
    # First: if this rename fails, the description of an image that is not there would be left.
    atomic.put(packed, out, durable=False)
    for path, temporary in prepared.items():
        atomic.put(temporary, path, durable=False)
    return BuiltImage(
        image=out,
        sbom=document_path,
        manifest=manifest_path,
        bytes=raw_bytes,
        sha256=raw_sha256,
        packed_bytes=packed_bytes,
        wheels=installed,
    )


def _bundle(deployment: Deployment) -> tuple[str, str]:
    path = Path(deployment.bundle)
    return path.name, sha256(path)


def _stem(out: Path) -> str:
    return out.name.removesuffix(PACKED).removesuffix(PLAIN)
