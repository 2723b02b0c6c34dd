"""Prepare a card: everything is made and checked first, then written in an order in which a card that is pulled out half-way still boots as before.

deployment, target -> look -> plan (files and their sizes) -> write -> read back
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgevid import bundle
from edgevid.errors import DeploymentError, FlashError
from edgevid.firmware import folder
from edgevid.provision import wheels
from edgevid.provision.deployment import Deployment
from edgevid.provision.first_boot import OVERLAY_PROGRAM, cloud_init, cmdline_txt, config_txt, firstrun
from edgevid.provision.system import System, look, refuse_misfit
from edgevid.provision.target import Target
from edgevid.provision.templates import fill
from edgevid.provision.unit import unit_files

OURS = "edgevid"
SUMS = "SHA256SUMS"
# Raspberry Pi OS writes a new kernel and initramfs beside the old ones when it is updated.
_RESERVE_MIB = 48
_MIB = 2**20
_BUNDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.edgevid")
_CREDENTIALS = re.compile(r"//[^/@\s]+:[^/@\s]+@")
# What starts our part is written last: before it the card boots as it did.
_TRIGGERS = ("config.txt", "firstrun.sh", "cmdline.txt", "network-config", "meta-data", "user-data")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be written.

    Attributes:
        target: Where to.
        system: What is there.
        files: Path on the boot partition to its content here, in the order of writing.
        warnings: What will work, but perhaps not as hoped.
    """

    target: Target
    system: System
    files: Mapping[str, Path]
    warnings: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(path.stat().st_size for path in self.files.values())


@contextmanager
def plan(deployment: Deployment, target: Target, *, wheelhouse: Path | None = None, lock: Path | None = None) -> Iterator[Plan]:
    """Make and check everything that will be written; nothing is written.

    Args:
        deployment: What the device shall be.
        target: From `open_target`.
        wheelhouse: A folder with the device's wheels; downloaded where None.
        lock: Pins other than those of `firmware_configs`.

    Yields:
        The plan; its files are there until the end of the `with`.

    Raises:
        DeploymentError: Nobody could log in.
        FlashError: The target does not fit, or has no room.
        BundleError: The bundle is refused.
    """
    deployment.refuse_example()
    before = target.boot.files()
    system = look(target, before)
    refuse_misfit(system, deployment, before)
    check_bundle(deployment)
    with tempfile.TemporaryDirectory(prefix="edgevid-flash-") as place:
        stage = Stage(Path(place))
        stage_device(stage, deployment, system, wheelhouse=wheelhouse, lock=lock)
        _stage_first_boot(stage, deployment, target, system)
        made = Plan(target=target, system=system, files=stage.ordered(), warnings=tuple(_warnings(deployment, system)))
        _refuse_full(made, before)
        yield made


def write(made: Plan, *, progress: Callable[[str, int], None] = lambda path, size: None) -> None:
    """Write a plan and read every file back from the medium.

    Args:
        made: From `plan`.
        progress: Called with each path and its size before it is written.

    Raises:
        FlashError: The medium gives back other bytes than were written.
    """
    for path, source in made.files.items():
        progress(path, source.stat().st_size)
        made.target.boot.write(path, source)
    for path, source in made.files.items():
        if hashlib.sha256(made.target.boot.read(path)).digest() != hashlib.sha256(source.read_bytes()).digest():
            raise FlashError(f"Expected {path} on {made.target.what} as it was written, got other bytes back. Use another card.", path=path)


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
        raise DeploymentError(f"Expected a bundle named with letters, digits, '.', '_' and '-', ending in .edgevid, got {name!r}.", got=name)
    model = bundle.read(deployment.bundle)
    if model.manifest.input.kind == "features":
        raise DeploymentError(f"Expected a bundle of a model over pictures for the camera {deployment.camera!r}, got one over features: {deployment.bundle}.")
    mib = Path(deployment.bundle).stat().st_size / _MIB
    if mib > deployment.service.memory_mib / 2:
        most = deployment.service.memory_mib // 2
        raise DeploymentError(f"Expected a bundle of at most {most} MiB, half of [service] memory_mib, got {mib:.0f} MiB: {deployment.bundle}.", got=mib)


class Stage:
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
        lines = {path.removeprefix(f"{OURS}/"): hashlib.sha256(source.read_bytes()).hexdigest() for path, source in self._files.items()}
        # The variables are taken away from the card when they have been installed.
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(lines.items()) if path != "environment")

    def contents(self) -> dict[str, bytes]:
        """Everything so far, by path; large files by their hash."""
        return {path: hashlib.sha256(source.read_bytes()).digest() for path, source in self._files.items()}

    def ordered(self) -> dict[str, Path]:
        """Everything, triggers last."""
        return dict(sorted(self._files.items(), key=lambda item: _TRIGGERS.index(item[0]) if item[0] in _TRIGGERS else -1))


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
        "install.sh": fill("boot/install.sh", bundle=name, venv_options="--system-site-packages" if needs_system_packages else "", read_only=keep),
        "first-boot.sh": (folder() / "boot/first-boot.sh").read_text(),
        name: Path(deployment.bundle),
        **({"overlay-root.sh": (folder() / "boot/overlay-root.sh").read_text()} if is_read_only else {}),
        **({"environment": variables} if variables else {}),
    }


def stage_device(stage: Stage, deployment: Deployment, system: System, *, wheelhouse: Path | None, lock: Path | None) -> None:
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


def _stage_wheels(stage: Stage, system: System, *, wheelhouse: Path | None, lock: Path | None) -> None:
    own, packed = wheels.pack(stage.new_folder())
    stage.add(f"{OURS}/wheels/{packed.name}", packed)
    for python in system.pythons:
        found = wheels.collect(python, wheelhouse=wheelhouse, lock=lock)
        for path in found.values():
            stage.add(f"{OURS}/wheels/{path.name}", path)
        stage.add(f"{OURS}/wheels/{python}.txt", wheels.requirements([own, *found]))


def _stage_first_boot(stage: Stage, deployment: Deployment, target: Target, system: System) -> None:
    has_firstrun = system.first_boot == "firstrun"
    told = firstrun(deployment) if has_firstrun else cloud_init(deployment, contents=stage.contents())
    for name, text in told.items():
        stage.add(name, text)
    stage.add("config.txt", config_txt(deployment, target.boot.read("config.txt").decode()))
    stage.add("cmdline.txt", cmdline_txt(deployment, target.boot.read("cmdline.txt").decode(), has_firstrun=has_firstrun))


def _refuse_full(made: Plan, before: frozenset[str]) -> None:
    """A file that is replaced needs its room twice for a moment, which the reserve covers."""
    room = made.target.boot.free_bytes() + sum(len(made.target.boot.read(path)) for path in made.files if path in before)
    if made.bytes + _RESERVE_MIB * _MIB > room:
        need = (made.bytes + _RESERVE_MIB * _MIB) / _MIB
        biggest = max(made.files, key=lambda path: made.files[path].stat().st_size)
        raise FlashError(
            f"Expected {need:.0f} MiB of room on {made.target.what} (with {_RESERVE_MIB} MiB kept for updates), got {room / _MIB:.0f} MiB. "
            f"The largest file is {biggest}, {made.files[biggest].stat().st_size / _MIB:.0f} MiB.",
            expected=need,
            got=room,
        )


def _warnings(deployment: Deployment, system: System) -> Iterator[str]:
    if deployment.optics.interface == "csi" and system.has_picamera is False:
        yield "picamera2 is not in this image; the device needs `sudo apt install python3-picamera2 --no-install-recommends` before its camera works."
    if deployment.optics.interface == "csi" and system.has_picamera is None:
        yield "whether picamera2 is in this image cannot be seen from its boot partition; the official Lite images of Bookworm have it."
    if any(isinstance(value, str) and _CREDENTIALS.search(value) for value in deployment.run.values()):
        yield "a password stands in an address of [run], and so in clear on the boot partition; options that take it from [environment] keep it off it."
    if deployment.card.read_only_root:
        yield "the root is read-only from the second start on: what is changed on the device by hand is forgotten, but for its bundles."


def _environment_value(value: str) -> str:
    """Quote for EnvironmentFile=. Source: systemd.exec(5)."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
