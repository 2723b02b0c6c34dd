"""The files that a device gets: wheels, bundle, configuration, units and secrets."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from edgevid import bundle
from edgevid.boards_and_cameras import folder
from edgevid.errors import DeploymentError
from edgevid.provision import wheels
from edgevid.provision.deployment import Deployment
from edgevid.provision.first_boot import OVERLAY_PROGRAM
from edgevid.provision.raspberry_pi_os import System
from edgevid.provision.templates import fill
from edgevid.provision.unit import unit_files
from edgevid.updates.slots import sha256

# Networks that find key points, by file name.
Networks = Mapping[str, bytes]
NO_NETWORKS: Networks = MappingProxyType({})
# The folder on the boot partition from which install.sh runs.
DEVICE_FOLDER = "edgevid"
# Below it, and below /opt/edgevid on the device.
NETWORKS_FOLDER = "keypoints"
CHECKSUMS = "SHA256SUMS"
MIB = 2**20
# The name is an argument in install.sh and a file name on FAT.
_BUNDLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.edgevid")
# The files that start the installation, in the order of writing. They come last: a card that is
# pulled out earlier boots as before.
_TRIGGERS = ("config.txt", "firstrun.sh", "cmdline.txt", "network-config", "meta-data", "user-data")


def check_bundle(deployment: Deployment) -> None:
    """Reject a bundle that the device could not run.

    Raises:
        BundleError: The bundle is damaged or of an unknown version.
        DeploymentError: The model reads neither pictures nor their key points, or the bundle is too large for
            the service's memory.
    """
    name = Path(deployment.bundle).name
    if not _BUNDLE_NAME.fullmatch(name):
        raise DeploymentError(
            expected="a bundle named with letters, digits, '.', '_' and '-', ending in .edgevid", got=name
        )
    model = bundle.read(deployment.bundle)
    if model.manifest.input.kind == "features" and not (model.manifest.keypoints or "keypoints" in deployment.run):
        raise DeploymentError(
            expected=f"a bundle over pictures, or over their key points, for the camera {deployment.camera!r}",
            found=f"one over features: {deployment.bundle}",
            hint='If its rows are key points, name them in [run]: keypoints = "pose".',
        )
    # The other half is for Python, NumPy and the interpreter's own tensors.
    mib = Path(deployment.bundle).stat().st_size / MIB
    if mib > deployment.service.memory_mib / 2:
        raise DeploymentError(
            expected=f"a bundle of at most {deployment.service.memory_mib // 2} MiB, half of [service] memory_mib",
            got=mib,
            found=f"{mib:.0f} MiB: {deployment.bundle}",
        )


class Payload:
    """Files for a boot partition, collected in a folder of this machine.

    Args:
        folder: An empty folder; the caller removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}

    def add(self, path: str, content: str | bytes | Path) -> None:
        """Add a file.

        Args:
            path: Path on the boot partition.
            content: The content, or a file of this machine that has it.
        """
        if not isinstance(content, Path):
            source = self._folder / f"{len(self._files)}"
            source.write_bytes(content.encode() if isinstance(content, str) else content)
            content = source
        self._files[path] = content

    def make_folder(self) -> Path:
        """Make an empty folder for generated files, removed together with the payload's own."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def digests(self) -> dict[str, bytes]:
        """Return the SHA-256 of each file so far, by path."""
        return {path: bytes.fromhex(sha256(source)) for path, source in self._files.items()}

    def checksums(self) -> str:
        """Return the input of `sha256sum --check`, for the files so far and relative to `DEVICE_FOLDER`."""
        lines = {path.removeprefix(f"{DEVICE_FOLDER}/"): digest.hex() for path, digest in self.digests().items()}
        # install.sh deletes `environment` from the card. A check of a second run must not miss it.
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(lines.items()) if path != "environment")

    def in_write_order(self) -> dict[str, Path]:
        """Return the source of each file by path, triggers last."""
        return dict(
            sorted(self._files.items(), key=lambda item: _TRIGGERS.index(item[0]) if item[0] in _TRIGGERS else -1)
        )


def secrets_on_card(deployment: Deployment) -> list[str]:
    """Describe the secrets that the boot partition holds until the first boot moves them to the root file system."""
    wifi, variables = deployment.wifi, sorted(deployment.environment)
    moved = "on the first partition until the first boot, then for root only (0600) on the second"
    found = []
    if wifi and wifi.kind != "open":
        what = "the Wi-Fi password itself, which WPA3 needs" if wifi.needs_password_on_card else "the Wi-Fi key"
        found.append(f"{what}, {moved}")
    if variables:
        found.append(f"[environment] {', '.join(variables)}, {moved}")
    if deployment.user.password_hash:
        found.append("the hash of the console password")
    return found


def device_files(
    deployment: Deployment, system: System, *, networks: Networks = NO_NETWORKS
) -> dict[str, str | bytes | Path]:
    """Render the files of a device, except for the wheels.

    Args:
        deployment: The device.
        system: The operating system on which they are installed.
        networks: The networks of the bundle's key points.

    Returns:
        File name to content, or to a file of this machine.
    """
    name = Path(deployment.bundle).name
    # picamera2 and libcamera are packages of the system, which a plain virtual environment hides.
    needs_system_packages = deployment.optics.interface == "csi"
    is_read_only = deployment.card.read_only_root
    read_only = fill("boot/read-only.sh", program=OVERLAY_PROGRAM) if is_read_only else fill("boot/writable.sh")
    variables = "".join(f"{name}={_environment_value(value)}\n" for name, value in deployment.variables().items())
    return {
        **unit_files(deployment, release=system.release),
        "install.sh": fill(
            "boot/install.sh",
            bundle=name,
            trial_s=deployment.service.trial_s,
            venv_options="--system-site-packages" if needs_system_packages else "",
            read_only=read_only,
        ),
        "first-boot.sh": (folder() / "boot/first-boot.sh").read_text(),
        name: Path(deployment.bundle),
        **({"overlay-root.sh": (folder() / "boot/overlay-root.sh").read_text()} if is_read_only else {}),
        **({"environment": variables} if variables else {}),
        **{f"{NETWORKS_FOLDER}/{name}": content for name, content in networks.items()},
    }


def add_device_files(
    payload: Payload,
    deployment: Deployment,
    system: System,
    *,
    wheelhouse: Path | None,
    lock: Path | None,
    networks: Networks = NO_NETWORKS,
) -> None:
    """Add everything that install.sh installs to a payload, with the checksums that it verifies.

    Args:
        payload: Receives the files.
        deployment: The device.
        system: The operating system on which they are installed.
        wheelhouse: Folder with the device's wheels; None downloads them.
        lock: Lock file to use in place of the one in `firmware_configs`.
        networks: The networks of the bundle's key points.

    Raises:
        FlashError: A wheel is missing, or its hash differs from the pinned one.
    """
    for name, content in device_files(deployment, system, networks=networks).items():
        payload.add(f"{DEVICE_FOLDER}/{name}", content)
    _add_wheels(payload, system, wheelhouse=wheelhouse, lock=lock)
    # Last, so that the list covers all other files.
    payload.add(f"{DEVICE_FOLDER}/{CHECKSUMS}", payload.checksums())


def _add_wheels(payload: Payload, system: System, *, wheelhouse: Path | None, lock: Path | None) -> None:
    own, packed = wheels.pack(payload.make_folder())
    payload.add(f"{DEVICE_FOLDER}/wheels/{packed.name}", packed)
    # Two Pythons if the boot partition does not reveal the release; install.sh picks the list.
    for python in system.pythons:
        pinned = wheels.collect(python, wheelhouse=wheelhouse, lock=lock)
        for path in pinned.values():
            payload.add(f"{DEVICE_FOLDER}/wheels/{path.name}", path)
        payload.add(f"{DEVICE_FOLDER}/wheels/{python}.txt", wheels.requirements([own, *pinned]))


def _environment_value(value: str) -> str:
    """Quote for EnvironmentFile=. Source: systemd.exec(5)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
