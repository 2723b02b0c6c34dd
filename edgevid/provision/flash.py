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

from edgevid.errors import FlashError
from edgevid.provision.deployment import Deployment
from edgevid.provision.first_boot import cloud_init, cmdline_txt, config_txt, firstrun
from edgevid.provision.payload import MIB, Payload, check_bundle, stage_device
from edgevid.provision.raspberry_pi_os import System, look, refuse_misfit
from edgevid.provision.target import Target

# Raspberry Pi OS writes a new kernel and initramfs beside the old ones when it is updated.
_RESERVE_MIB = 48
_CREDENTIALS = re.compile(r"//[^/@\s]+:[^/@\s]+@")


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
def plan(
    deployment: Deployment, target: Target, *, wheelhouse: Path | None = None, lock: Path | None = None
) -> Iterator[Plan]:
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
        stage = Payload(Path(place))
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
            raise FlashError(
                expected=f"{path} on {made.target.what} as it was written",
                found="other bytes back",
                hint="Use another card.",
                path=path,
            )


def _stage_first_boot(stage: Payload, deployment: Deployment, target: Target, system: System) -> None:
    has_firstrun = system.first_boot == "firstrun"
    told = firstrun(deployment) if has_firstrun else cloud_init(deployment, contents=stage.contents())
    for name, text in told.items():
        stage.add(name, text)
    stage.add("config.txt", config_txt(deployment, target.boot.read("config.txt").decode()))
    stage.add(
        "cmdline.txt", cmdline_txt(deployment, target.boot.read("cmdline.txt").decode(), has_firstrun=has_firstrun)
    )


def _refuse_full(made: Plan, before: frozenset[str]) -> None:
    """A file that is replaced needs its room twice for a moment, which the reserve covers."""
    room = made.target.boot.free_bytes() + sum(
        len(made.target.boot.read(path)) for path in made.files if path in before
    )
    if made.bytes + _RESERVE_MIB * MIB > room:
        need = (made.bytes + _RESERVE_MIB * MIB) / MIB
        biggest = max(made.files, key=lambda path: made.files[path].stat().st_size)
        raise FlashError(
            expected=f"{need:.0f} MiB of room on {made.target.what} (with {_RESERVE_MIB} MiB kept for updates)",
            got=room,
            found=f"{room / MIB:.0f} MiB",
            hint=f"The largest file is {biggest}, {made.files[biggest].stat().st_size / MIB:.0f} MiB.",
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
