"""From a deployment to a file that a card is written from; the main path, from top to bottom."""

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
from edgevid.provision.image import contents, debian_base, disk, host_tools, imager, python_packages, recipe, sbom
from edgevid.provision.image.recipe import ImageRecipe
from edgevid.provision.image.tar_tree import Archive, Tree, lay_over
from edgevid.provision.wheels import Pin
from edgevid.updates.slots import sha256

PROGRAMS = ("sfdisk", "mformat", "mcopy", "mke2fs", "cpio")
PACKED, PLAIN = ".img.xz", ".img"
# 2026-01-01. The time of every file that has no older one of its own, so that the day of the build is in no byte.
EPOCH_S = 1767225600
# As many threads as there are cores: the blocks make the bytes the same for any number. Preset: docs/explanation/decisions/0043
_XZ = ("xz", "--threads=0", "--block-size=24MiB", "-1", "--stdout")
# So that the identities of a card follow from its content.
_NAMESPACE = uuid.UUID("5e0f2c1a-6f0e-4b5e-9a52-0c3f5c1d7e11")


@dataclass(frozen=True, kw_only=True)
class Made:
    """An image, and the files beside it.

    Attributes:
        image: The file.
        sbom: What it is made of.
        manifest: For Raspberry Pi Imager.
        bytes: On a card.
        sha256: Of those.
        packed_bytes: Of the file.
        wheels: What was installed of Python.
    """

    image: Path
    sbom: Path
    manifest: Path
    bytes: int
    sha256: str
    packed_bytes: int
    wheels: tuple[python_packages.Package, ...]


def check(deployment: Deployment, made_of: ImageRecipe, out: Path) -> None:
    """Refuse what cannot be built, before minutes are spent on it.

    Args:
        deployment: What the device shall be.
        made_of: The release.
        out: The image.

    Raises:
        UsageError: The file's name does not say what it is, or its folder is not there.
        DeploymentError: Nobody could log in, or Debian does not start on the board or does not see with the camera, or this Python is another one.
        MissingDependency: A program is missing.
    """
    if not out.name.endswith((PACKED, PLAIN)):
        raise UsageError(expected=f"an image's name, ending in {PACKED} or {PLAIN}", got=out.name, found=f"{out.name}")
    if not out.parent.is_dir():
        raise UsageError(expected="a folder for the image", found=f"none at {out.parent}", path=out.parent)
    deployment.refuse_example()
    recipe.check(made_of, deployment)
    debian_base.refuse_python(made_of)
    host_tools.need([*PROGRAMS, "xz"] if out.name.endswith(PACKED) else PROGRAMS)


def assemble(
    deployment: Deployment,
    made_of: ImageRecipe,
    out: Path,
    *,
    wheels: Mapping[Pin, Path],
    debian: Path,
    say: Callable[[str], None] = lambda text: None,
) -> Made:
    """Build an image.

    Args:
        deployment: What the device shall be.
        made_of: The release.
        out: The image; replaced when all has worked.
        wheels: For the device, edgevid's own among them.
        debian: The root file system as Debian left it, from `base.bootstrap`.
        say: Told of each step.

    Returns:
        What was written.

    Raises:
        EdgevidError: Something does not fit; nothing is written then.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".edgevid-image-") as folder, Archive(debian) as archive:
        scratch, tree = Path(folder), Tree()
        say("installing packages and the bundle")
        installed = python_packages.install(tree, wheels, scratch, python=made_of.python, epoch_s=EPOCH_S)
        contents.root(tree, archive, deployment, made_of)
        boot = contents.boot(archive, deployment, made_of, epoch_s=EPOCH_S)
        say("writing the file systems")
        raw = _write(scratch, debian, tree, boot, made_of)
        whole = sha256(raw)
        listed = sbom.document(
            _stem(out),
            archive=archive,
            suite=made_of.suite,
            wheels=installed,
            bundle=_bundle(deployment),
            epoch_s=EPOCH_S,
            image_sha256=whole,
        )
        size = raw.stat().st_size
        if out.name.endswith(PACKED):
            say("compressing")
        packed = _pack(raw) if out.name.endswith(PACKED) else raw
        about = _manifest(deployment, made_of, out, size=size, whole=whole, packed=packed)
        return _put(out, packed, listed, about, size=size, whole=whole, installed=installed)


def _write(scratch: Path, debian: Path, tree: Tree, boot: dict[str, bytes], made_of: ImageRecipe) -> Path:
    root, raw = scratch / "root.tar", scratch / "card.img"
    used = lay_over(debian, tree, root, epoch_s=EPOCH_S, left_out=contents.LEFT_OUT)
    layout = disk.DiskLayout(boot_mib=made_of.boot_mib, root_mib=disk.root_mib(used, made_of.spare_mib))
    disk.write(raw, layout, _names(root, boot), boot=boot, root=root, epoch_s=EPOCH_S)
    root.unlink()
    return raw


def _names(root: Path, boot: dict[str, bytes]) -> disk.Names:
    content = hashlib.sha256(sha256(root).encode())
    for name in sorted(boot):
        content.update(name.encode() + b"\0" + hashlib.sha256(boot[name]).digest())
    whole = content.hexdigest()
    return disk.Names(disk=whole[:8], volume=whole[8:16], root=str(uuid.uuid5(_NAMESPACE, whole)))


def _pack(raw: Path) -> Path:
    packed = raw.with_suffix(".xz")
    with packed.open("wb") as handle:
        host_tools.run((*_XZ, raw), epoch_s=EPOCH_S, stdout=handle)
    raw.unlink()
    return packed


def _manifest(
    deployment: Deployment, made_of: ImageRecipe, out: Path, *, size: int, whole: str, packed: Path
) -> dict[str, object]:
    return imager.manifest(
        f"edgevid: {deployment.hostname}",
        f"{Path(deployment.bundle).name} with {deployment.optics.title}, Debian {made_of.suite}",
        image=out,
        boards=tuple(made_of.device_trees),
        size=size,
        sha256=whole,
        packed=packed.stat().st_size,
        packed_sha256=sha256(packed),
        epoch_s=EPOCH_S,
    )


def _put(
    out: Path,
    packed: Path,
    listed: dict[str, object],
    about: dict[str, object],
    *,
    size: int,
    whole: str,
    installed: tuple[python_packages.Package, ...],
) -> Made:
    """Give everything its name at last, the image after what tells of it."""
    beside = {
        out.with_name(f"{_stem(out)}.spdx.json"): listed,
        out.with_name(f"{_stem(out)}.rpi-imager-manifest"): about,
    }
    for path, content in beside.items():
        atomic.write(path, [f"{json.dumps(content, indent=1)}\n".encode()], durable=False)
    packed_bytes = packed.stat().st_size
    # It holds the deployment's secrets.
    packed.chmod(0o600)
    atomic.put(packed, out, durable=False)
    listing, manifest = beside
    return Made(
        image=out,
        sbom=listing,
        manifest=manifest,
        bytes=size,
        sha256=whole,
        packed_bytes=packed_bytes,
        wheels=installed,
    )


def _bundle(deployment: Deployment) -> tuple[str, str]:
    path = Path(deployment.bundle)
    return path.name, sha256(path)


def _stem(out: Path) -> str:
    return out.name.removesuffix(PACKED).removesuffix(PLAIN)
