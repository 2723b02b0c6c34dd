"""Preparation of a card with Raspberry Pi OS.

`plan` makes and checks every file first. `write` then writes them in an order in which a card that
is pulled out half-way still boots as before, and reads each one back.
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
from edgevid.errors import FlashError
from edgevid.prediction.reported import slow_board
from edgevid.provision.deployment import Deployment
from edgevid.provision.device_files import MIB, NO_NETWORKS, Networks, Payload, add_device_files, check_bundle
from edgevid.provision.first_boot import cloud_init, cmdline_txt, config_txt, firstrun
from edgevid.provision.raspberry_pi_os import System, check_compatible, detect
from edgevid.provision.target import Target

# An update of Raspberry Pi OS writes the new kernel and initramfs before it removes the old ones.
_RESERVE_MIB = 48
# A password before an @ (but no port before a path with one), or in a query, or a long word in a
# path, as in the address of a webhook. A warning may be wrong; a silence would be worse.
_CREDENTIALS = re.compile(
    r"//[^:/\s]*:(?!\d+/)\S+@|[?&](pass\w*|pwd|token|\w*key|secret|auth)=[^&]|//[^/]+/.*[\w-]{20}", re.I
)
_VARIABLE = re.compile(r"\$\{\w+\}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The files to write to a target.

    Attributes:
        target: The destination.
        system: The system on it.
        files: Path on the boot partition to a file of this machine, in the order of writing.
        warnings: Sentences for the user about settings that may not do what they intend.
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
    deployment: Deployment,
    target: Target,
    *,
    wheelhouse: Path | None = None,
    lock: Path | None = None,
    networks: Networks = NO_NETWORKS,
) -> Iterator[Plan]:
    """Make and check every file, and write nothing to the target.

    Args:
        deployment: The device.
        target: From `open_target`.
        wheelhouse: Folder with the device's wheels; None downloads them.
        lock: Lock file to use in place of the one in `firmware_configs`.
        networks: The networks of the bundle's key points.

    Yields:
        The plan. Its files exist until the end of the `with` block.

    Raises:
        DeploymentError: Nobody could log in, or the bundle does not suit the device.
        FlashError: The system on the target does not match, or there is too little space.
        BundleError: The bundle is damaged or of an unknown version.
    """
    deployment.reject_example_key()
    existing = target.boot.files()
    system = detect(target, existing)
    check_compatible(system, deployment, existing)
    check_bundle(deployment)
    with tempfile.TemporaryDirectory(prefix="edgevid-flash-") as folder:
        payload = Payload(Path(folder))
        add_device_files(payload, deployment, system, wheelhouse=wheelhouse, lock=lock, networks=networks)
        # After the device's files: their digests enter cloud-init's instance ID.
        _add_first_boot_files(payload, deployment, target, system)
        card_plan = Plan(
            target=target,
            system=system,
            files=payload.in_write_order(),
            warnings=tuple(_warnings(deployment, system)),
        )
        _check_space(card_plan, existing)
        yield card_plan


def write(card_plan: Plan, *, progress: Callable[[str, int], None] = lambda path, size: None) -> None:
    """Write a plan and read every file back from the medium.

    Args:
        card_plan: From `plan`.
        progress: Called with each path and its size in bytes before it is written.

    Raises:
        FlashError: A file reads back with other bytes.
    """
    target = card_plan.target
    for path, source in card_plan.files.items():
        progress(path, source.stat().st_size)
        target.boot.write(path, source)
    # Read back after the last write, when nothing changes the file system any more.
    for path, source in card_plan.files.items():
        if hashlib.sha256(target.boot.read(path)).digest() != hashlib.sha256(source.read_bytes()).digest():
            raise FlashError(
                expected=f"{path} on {target.what} as it was written",
                found="other bytes",
                hint="Use another card.",
                path=path,
            )


def _add_first_boot_files(payload: Payload, deployment: Deployment, target: Target, system: System) -> None:
    has_firstrun = system.first_boot == "firstrun"
    files = firstrun(deployment) if has_firstrun else cloud_init(deployment, contents=payload.digests())
    for name, text in files.items():
        payload.add(name, text)
    payload.add("config.txt", config_txt(deployment, target.boot.read("config.txt").decode()))
    payload.add(
        "cmdline.txt", cmdline_txt(deployment, target.boot.read("cmdline.txt").decode(), has_firstrun=has_firstrun)
    )


def _check_space(card_plan: Plan, existing: frozenset[str]) -> None:
    boot = card_plan.target.boot
    # A replaced file exists twice for a moment. The reserve covers that.
    available = boot.free_bytes() + sum(len(boot.read(path)) for path in card_plan.files if path in existing)
    needed = card_plan.bytes + _RESERVE_MIB * MIB
    if needed > available:
        largest = max(card_plan.files, key=lambda path: card_plan.files[path].stat().st_size)
        largest_mib = card_plan.files[largest].stat().st_size / MIB
        raise FlashError(
            expected=f"{needed / MIB:.0f} MiB of room on {card_plan.target.what} "
            f"(with {_RESERVE_MIB} MiB reserved for updates)",
            got=available,
            found=f"{available / MIB:.0f} MiB",
            hint=f"Use a card with a larger boot partition. The largest file is {largest}, {largest_mib:.0f} MiB.",
        )


def _warnings(deployment: Deployment, system: System) -> Iterator[str]:
    is_csi = deployment.optics.interface == "csi"
    if is_csi and system.has_picamera is False:
        yield (
            "picamera2 is not in this image. The camera works after "
            "`sudo apt install python3-picamera2 --no-install-recommends` on the device."
        )
    if is_csi and system.has_picamera is None:
        yield (
            "the boot partition does not show whether picamera2 is in this image. "
            "The official Lite images of Bookworm have it."
        )
    if any(_CREDENTIALS.search(_VARIABLE.sub("", text)) for text in _texts(deployment.run)):
        yield (
            "an address in [run] has a password, which would be in clear on the boot partition, and readable "
            "by everyone on the device. Write ${NAME} in its place, and NAME in [environment]."
        )
    for name, interface in (("wifi", deployment.wifi), ("ethernet", deployment.ethernet)):
        if interface and interface.address and not interface.dns:
            yield f"[{name}] has an address and no dns, so the device finds nothing by its name, not even the time."
    # The published times are of processors.
    if not str(deployment.run.get("delegate", "")).startswith("edgetpu"):
        slow = slow_board(bundle.read(deployment.bundle), deployment.board, threads=deployment.run.get("threads", 1))
        yield from [slow] if slow else []
    if deployment.card.read_only_root:
        yield (
            "the root file system is read-only from the second boot on. Changes made on the device "
            "are lost at a restart, except for its bundles."
        )


def _texts(table: Mapping[str, object]) -> Iterator[str]:
    for value in table.values():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif isinstance(value, str):
            yield value
