"""What a device is given: wheels, bundle, deployment, unit, secrets; staged in a folder, whatever it goes to."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from edgevid import bundle
from edgevid.errors import DeploymentError
from edgevid.firmware import folder
from edgevid.provision import wheels
from edgevid.provision.deployment import Deployment
from edgevid.provision.first_boot import OVERLAY_PROGRAM
from edgevid.provision.raspberry_pi_os import System
from edgevid.provision.templates import fill
from edgevid.provision.unit import unit_files

OURS = "edgevid"


SUMS = "SHA256SUMS"


MIB = 2**20


_BUNDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.edgevid")


# What starts our part is written last: before it the card boots as it did.
_TRIGGERS = ("config.txt", "firstrun.sh", "cmdline.txt", "network-config", "meta-data", "user-data")


def check_bundle(deployment: Deployment) -> None:
    """Refuse a bundle that this device could not run.

    Args:
        deployment: Whose bundle.

    Raises:
        BundleError: It is refused.
        DeploymentError: It is no model for a camera, or does not fit into the memory that the service gets.
    """
    name = Path(deployment.bundle).name
    if not _BUNDLE.fullmatch(name):
        raise DeploymentError(
            expected="a bundle named with letters, digits, '.', '_' and '-', ending in .edgevid", got=name
        )
    model = bundle.read(deployment.bundle)
    if model.manifest.input.kind == "features":
        raise DeploymentError(
            expected=f"a bundle of a model over pictures for the camera {deployment.camera!r}",
            found=f"one over features: {deployment.bundle}",
        )
    mib = Path(deployment.bundle).stat().st_size / MIB
    if mib > deployment.service.memory_mib / 2:
        most = deployment.service.memory_mib // 2
        raise DeploymentError(
            expected=f"a bundle of at most {most} MiB, half of [service] memory_mib",
            got=mib,
            found=f"{mib:.0f} MiB: {deployment.bundle}",
        )


class Payload:
    """Files as they will be on the boot partition, made in a folder here.

    Args:
        folder: Empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}

    def add(self, path: str, content: str | bytes | Path) -> None:
        """Take a file in.

        Args:
            path: On the boot partition.
            content: Its content, or a file that has it.
        """
        if not isinstance(content, Path):
            source = self._folder / f"{len(self._files)}"
            source.write_bytes(content.encode() if isinstance(content, str) else content)
            content = source
        self._files[path] = content

    def new_folder(self) -> Path:
        """Give a folder for files that others write."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def sums(self) -> str:
        """Sum up what is here so far, for `sha256sum --check` in the folder `OURS`."""
        lines = {
            path.removeprefix(f"{OURS}/"): hashlib.sha256(source.read_bytes()).hexdigest()
            for path, source in self._files.items()
        }
        # The variables are taken away from the card when they have been installed.
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(lines.items()) if path != "environment")

    def contents(self) -> dict[str, bytes]:
        """Everything so far, by path; large files by their hash."""
        return {path: hashlib.sha256(source.read_bytes()).digest() for path, source in self._files.items()}

    def ordered(self) -> dict[str, Path]:
        """Everything, triggers last."""
        return dict(
            sorted(self._files.items(), key=lambda item: _TRIGGERS.index(item[0]) if item[0] in _TRIGGERS else -1)
        )


def payload(deployment: Deployment, system: System) -> dict[str, str | bytes | Path]:
    """Make what lies in the folder `edgevid` of the boot partition, but for the wheels.

    Args:
        deployment: Whose.
        system: On which it will run.

    Returns:
        File name to content.
    """
    name = Path(deployment.bundle).name
    needs_system_packages = deployment.optics.interface == "csi"
    is_read_only = deployment.card.read_only_root
    keep = fill("boot/read-only.sh", program=OVERLAY_PROGRAM) if is_read_only else fill("boot/writable.sh")
    variables = "".join(f"{name}={_environment_value(value)}\n" for name, value in deployment.variables().items())
    return {
        **unit_files(deployment, release=system.release),
        "install.sh": fill(
            "boot/install.sh",
            bundle=name,
            venv_options="--system-site-packages" if needs_system_packages else "",
            read_only=keep,
        ),
        "first-boot.sh": (folder() / "boot/first-boot.sh").read_text(),
        name: Path(deployment.bundle),
        **({"overlay-root.sh": (folder() / "boot/overlay-root.sh").read_text()} if is_read_only else {}),
        **({"environment": variables} if variables else {}),
    }


def stage_device(
    stage: Payload, deployment: Deployment, system: System, *, wheelhouse: Path | None, lock: Path | None
) -> None:
    """Make the folder `edgevid`: what `install.sh` installs, with the sums that it checks.

    Args:
        stage: Takes the files in.
        deployment: Whose.
        system: On which it will run.
        wheelhouse: A folder with the device's wheels; downloaded where None.
        lock: Pins other than those of `firmware_configs`.

    Raises:
        FlashError: A wheel is missing, or has another hash.
    """
    for name, content in payload(deployment, system).items():
        stage.add(f"{OURS}/{name}", content)
    _stage_wheels(stage, system, wheelhouse=wheelhouse, lock=lock)
    stage.add(f"{OURS}/{SUMS}", stage.sums())


def _stage_wheels(stage: Payload, system: System, *, wheelhouse: Path | None, lock: Path | None) -> None:
    own, packed = wheels.pack(stage.new_folder())
    stage.add(f"{OURS}/wheels/{packed.name}", packed)
    for python in system.pythons:
        found = wheels.collect(python, wheelhouse=wheelhouse, lock=lock)
        for path in found.values():
            stage.add(f"{OURS}/wheels/{path.name}", path)
        stage.add(f"{OURS}/wheels/{python}.txt", wheels.requirements([own, *found]))


def _environment_value(value: str) -> str:
    """Quote for EnvironmentFile=. Source: systemd.exec(5)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
